"""Module paths of older Keras: ``keras.layers.convolutional``, ``tensorflow.python.keras`` …"""

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

# The three namespaces of one Keras. Their modules differ, their classes are the same.
ROOTS = ("keras", "keras._tf_keras.keras", "tensorflow.keras")

_PRIVATE = "tensorflow.python.keras"

# Below a root: the old path -> where its names are now.
_MOVED = {
    # Private modules that became unreachable with Keras 2.6.
    "layers.core": "layers",
    "layers.convolutional": "layers",
    "layers.pooling": "layers",
    "layers.normalization": "layers",
    "layers.normalization.batch_normalization": "layers",
    "layers.advanced_activations": "layers",
    "layers.merge": "layers",
    "layers.recurrent": "layers",
    "layers.embeddings": "layers",
    "layers.noise": "layers",
    "layers.local": "layers",
    "layers.wrappers": "layers",
    "engine": "layers",
    "engine.base_layer": "layers",
    "engine.topology": "layers",
    "engine.input_layer": "layers",
    "engine.training": "models",
    "engine.sequential": "models",
    "engine.functional": "models",
    "callbacks.callbacks": "callbacks",
    "backend.tensorflow_backend": "backend",
    "preprocessing.image_dataset": "utils",
    "utils.np_utils": "utils",
    "utils.generic_utils": "utils",
    "utils.vis_utils": "utils",
    "utils.data_utils": "utils",
    "utils.layer_utils": "utils",
    "utils.io_utils": "utils",
    "utils.training_utils": "utils",
    # Keras 1 names, dropped with Keras 2.0.
    "objectives": "losses",
    "initializations": "initializers",
    # Keras 2.6 to 2.15 names, dropped with Keras 3.0.
    "layers.experimental": "layers",
    "layers.experimental.preprocessing": "layers",
    "optimizers.legacy": "optimizers",
    "optimizers.experimental": "optimizers",
    "optimizer_v1": "optimizers",
    "optimizer_v2": "optimizers",
    **{
        f"{folder}.{name}": "optimizers"
        for folder in ("optimizers", "optimizer_v2")
        for name in ("adam", "adam_v2", "sgd", "gradient_descent", "gradient_descent_v2", "rmsprop")
    },
}

# What Keras 2.13 to 2.15 had below `keras.src`, and Keras 3.0 has not.
_SOURCE = "keras.src."
_NO_SOURCE = ("engine", "preprocessing", "utils.np_utils", "utils.generic_utils", "utils.vis_utils",
              "utils.data_utils", "utils.layer_utils")  # fmt: skip

# Packages that were renamed or taken apart: old name -> where its names, or those below, are now.
_RENAMED = {
    # Keras' own image folders, a package of their own until Keras 2.10.
    "keras_preprocessing": "keras.preprocessing",
    # Private paths of the years before Keras 3.0.
    "keras.api._v2.keras": "keras._tf_keras.keras",
    "keras.api.keras": "keras._tf_keras.keras",
    "keras.api._v2": "keras",
    "keras.api": "keras",
    "tensorflow.contrib.keras": "keras._tf_keras.keras",
    "tensorflow.contrib": "tensorflow",
    # scikit-learn until 0.19 and 0.22.
    "sklearn.cross_validation": "sklearn.model_selection",
    "sklearn.grid_search": "sklearn.model_selection",
    "sklearn.externals.joblib": "joblib",
    # SciPy's reading of images, dropped with 1.2.
    "scipy.misc": "trainer.shims.scipy_misc",
}

# Whose names Keras 3.0 spells in one way only.
_RESPELLED = (
    *("constraints", "initializers", "regularizers", "losses", "metrics", "optimizers"),
    *("activations", "callbacks", "layers"),
)


def install() -> None:
    sys.meta_path.insert(0, _Finder())
    # TensorFlow has imported its private copy for itself, and keeps what it holds of it.
    for name in [each for each in sys.modules if f"{each}.".startswith(f"{_PRIVATE}.")]:
        del sys.modules[name]
    _complete()
    # What is imported by its path later replaces what was an attribute before: now, not then.
    parts = {each.partition(".")[0] for each in (*_MOVED, *_MOVED.values())} | set(_RESPELLED)
    for root in ROOTS:
        for name in sorted(parts):
            with contextlib.suppress(ImportError):
                importlib.import_module(f"{root}.{name}")
        _set_attributes(root)
        for name in _RESPELLED:
            _respell(f"{root}.{name}")


def namespaces(name: str) -> list[ModuleType]:
    """The modules ``<root>.<name>`` of all roots, those that there are."""
    found = []
    for root in ROOTS:
        try:
            found.append(importlib.import_module(f"{root}.{name}" if name else root))
        except ImportError:
            continue
    return found


def _complete() -> None:
    """Names that ``tf.keras`` still has and ``keras`` has not since Keras 3.0.

    ``keras.preprocessing.image.ImageDataGenerator``, ``keras.backend.set_value`` …
    """
    for part in ("preprocessing.image", "preprocessing.text", "preprocessing.sequence", "backend"):
        old = importlib.import_module(f"keras._tf_keras.keras.{part}")
        try:
            new = importlib.import_module(f"keras.{part}")
        except ImportError:
            new = old
            sys.modules[f"keras.{part}"] = old
            parent, _, name = part.rpartition(".")
            setattr(importlib.import_module(f"keras.{parent}"), name, old)
        for name in dir(old):
            if not name.startswith("_") and not hasattr(new, name):
                setattr(new, name, getattr(old, name))


def _set_attributes(root: str) -> None:
    """``keras.utils.np_utils`` is reached as an attribute as well."""
    try:
        module = importlib.import_module(root)
    except ImportError:
        return
    for old, new in _MOVED.items():
        parent, _, name = old.rpartition(".")
        holder = _walk(module, parent)
        target = _walk(module, new)
        if holder is not None and target is not None and not hasattr(holder, name):
            setattr(holder, name, target)


def _respell(name: str) -> None:
    """Let a module answer to names in other spelling: ``maxnorm`` of Keras 2.15 and older."""
    try:
        module = importlib.import_module(name)
    except ImportError:
        return
    known = {_plain(each): each for each in dir(module) if not each.startswith("_")}

    def __getattr__(wanted: str) -> Any:  # noqa: N807
        if wanted.startswith("_") or _plain(wanted) not in known:
            raise AttributeError(f"module {name!r} has no attribute {wanted!r}")
        return getattr(module, known[_plain(wanted)])

    module.__getattr__ = __getattr__  # type: ignore[method-assign]


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _walk(module: Any, path: str) -> Any:
    for part in filter(None, path.split(".")):
        module = getattr(module, part, None)
    return module


class _Alias(ModuleType):
    """A module under an old name, with the names of another one."""

    def __init__(self, name: str, target: ModuleType) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        self.__all__ = [each for each in dir(target) if not each.startswith("_")]
        self._target = target

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._target, name)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds what has moved. TensorFlow's private copy of Keras is a fork that nothing here follows,
    and stands for Keras itself since TensorFlow 2.6."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        if _target(fullname) is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        name = _target(spec.name)
        assert name is not None
        return _Alias(spec.name, importlib.import_module(name))

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is to be run."""


def _target(fullname: str) -> str | None:
    if f"{fullname}.".startswith(f"{_PRIVATE}."):
        rest = fullname.removeprefix(_PRIVATE).lstrip(".")
        rest = _MOVED.get(rest, rest)
        return f"keras._tf_keras.keras.{rest}".rstrip(".")
    for old, new in _RENAMED.items():
        if f"{fullname}.".startswith(f"{old}."):
            return new + fullname.removeprefix(old)
    if fullname.startswith(_SOURCE):
        rest = fullname.removeprefix(_SOURCE)
        if any(f"{rest}.".startswith(f"{each}.") for each in _NO_SOURCE):
            return f"keras.{_MOVED.get(rest, rest)}"
    for root in ROOTS:
        if fullname.startswith(root + ".") and fullname.removeprefix(root + ".") in _MOVED:
            return f"{root}.{_MOVED[fullname.removeprefix(root + '.')]}"
    return None
