"""Modules that scripts import and that their training does not need: notebooks' helpers, trackers.

They talk to a person, a browser or a service, none of which there is in an environment. Where one
is not installed, a stand-in takes its place that does nothing, and the record says so. A script
that is ready for the import to fail sees it fail.
"""

import builtins
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

import keras

from trainer import script

_ABSENT = frozenset(
    (
        *("google.colab", "IPython", "kaggle", "kaggle_secrets", "gdown", "opendatasets"),
        *("wandb", "mlflow", "neptune", "comet_ml", "livelossplot", "keras_tqdm"),
        *("pydot", "pydot_ng", "graphviz", "visualkeras", "ann_visualizer", "netron"),
        *("pydrive", "pydrive2", "oauth2client", "dotenv", "loguru", "tabulate", "prettytable"),
        *("plotly", "mlxtend", "tkinter", "streamlit", "gradio", "tensorflowjs", "mysql"),
        # What it divides is mounted in its parts already, under the names that are read later.
        *("splitfolders", "split_folders"),
        *("playsound", "winsound", "pyttsx3", "telegram_send", "nvidia_smi", "GPUtil"),
    )
)


def install(note: Callable[[str], None]) -> None:
    # Last: what is installed is found before.
    sys.meta_path.append(_Finder(note))
    # Notebooks have these two without an import, and scripts exported from them keep the calls.
    builtins.get_ipython = lambda: _Shell(note)  # type: ignore[attr-defined]
    builtins.display = Nothing  # type: ignore[attr-defined]


class Nothing:
    """Answers every call, attribute, loop and ``with`` with nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, *_: Any, **__: Any) -> "Nothing":
        return self

    def __getattr__(self, name: str) -> "Nothing":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, _: Any) -> "Nothing":
        return self

    def __enter__(self) -> "Nothing":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __str__(self) -> str:
        return ""


class _Shell(Nothing):
    """IPython, as scripts that notebooks were saved as call it: it runs what a magic times."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__()
        self._note = note

    def run_cell_magic(self, magic: str, _: str, cell: str) -> None:
        if magic in script.TIMING:
            script.run_cell(cell, self._note)
        else:
            self._note(f"What the script gives the magic {magic} was left out.")

    def run_line_magic(self, magic: str, line: str, *_: Any) -> None:
        if magic == "time":
            script.run_cell(line, self._note)


class _NothingCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Stands in for a tracker's callback, which goes into the list that ``fit`` is given."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()


class _Module(ModuleType):
    __path__: list[str] = []  # noqa: RUF012  (what makes a module a package)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        is_callback = name.endswith(("Callback", "LossesKeras", "MetricsLogger"))
        return _NothingCallback if is_callback else Nothing()


def _importing_line() -> tuple[str, int]:
    """The file and line whose import is being looked up."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        parts = fullname.split(".")
        heads = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
        # `google` is there as protobuf's, or not at all.
        if not heads & _ABSENT and fullname != "google":
            return None
        if script.expects_failing_import(*_importing_line()):
            return None
        if fullname in _ABSENT:
            self._note(
                f"The module {fullname} is not here; what the script does with it was left out."
            )
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is to be run."""
