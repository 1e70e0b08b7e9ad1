"""Words of older pandas, scikit-learn and seaborn, which scripts use around their training."""

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Any

from trainer.imports import once_imported


def prepare() -> None:
    """Import what a library that Keras has imported brings only when it is asked for."""
    if "sklearn" in sys.modules:
        importlib.import_module("sklearn.preprocessing")


def install(note: Callable[[str], None]) -> None:
    once_imported("pandas", _pandas)
    once_imported("sklearn", lambda _: _scikit_learn())
    once_imported("seaborn", _seaborn)
    once_imported("matplotlib", lambda _: _styles(note))


def _pandas(pandas: Any) -> None:
    def append(self: Any, other: Any, ignore_index: bool = False, **_: Any) -> Any:
        """Dropped with pandas 2.0."""
        if isinstance(other, dict):
            other = pandas.DataFrame([other])
        elif isinstance(self, pandas.DataFrame) and isinstance(other, pandas.Series):
            other = other.to_frame().T
        others = other if isinstance(other, list) else [other]
        return pandas.concat([self, *others], ignore_index=ignore_index)

    for kind in (pandas.DataFrame, pandas.Series):
        for name, value in {
            "append": append,
            "iteritems": kind.items,
            # Dropped with pandas 1.0.
            "as_matrix": lambda self, columns=None: (
                self.to_numpy() if columns is None else self[columns].to_numpy()
            ),
            "ix": property(lambda self: self.loc),
        }.items():
            if not hasattr(kind, name):
                setattr(kind, name, value)

    original = pandas.get_dummies

    @functools.wraps(original)
    def get_dummies(*arguments: Any, **named: Any) -> Any:
        # Truth values since pandas 2.0, and numbers before.
        return original(*arguments, **{"dtype": "uint8"} | named)

    pandas.get_dummies = get_dummies


def _scikit_learn() -> None:
    from sklearn import preprocessing

    original = preprocessing.OneHotEncoder.__init__

    @functools.wraps(original)
    def init(self: Any, *arguments: Any, **named: Any) -> None:
        # Renamed with scikit-learn 1.2, dropped with 1.4.
        if "sparse" in named:
            named["sparse_output"] = named.pop("sparse")
        original(self, *arguments, **named)

    preprocessing.OneHotEncoder.__init__ = init


def _seaborn(seaborn: Any) -> None:
    """``sns.jointplot(a, b)``: until seaborn 0.11 the first two were x and y."""
    for name in dir(seaborn):
        plot = getattr(seaborn, name)
        if not name.endswith("plot") or not inspect.isfunction(plot):
            continue
        if {"data", "x", "y"} <= set(inspect.signature(plot).parameters):
            setattr(seaborn, name, _placed(plot))


def _placed(plot: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plot)
    def placed(*arguments: Any, **named: Any) -> Any:
        if len(arguments) > 1:
            named |= dict(zip(("x", "y", "hue", "data"), arguments, strict=False))
            arguments = ()
        return plot(*arguments, **named)

    return placed


def _styles(note: Callable[[str], None]) -> None:
    """``plt.style.use("seaborn")``: renamed with matplotlib 3.6, dropped with 3.8."""
    from matplotlib import style

    original = style.use

    @functools.wraps(original)
    def use(name: Any) -> None:
        if isinstance(name, str) and name.startswith("seaborn") and name not in style.available:
            name = f"seaborn-v0_8{name.removeprefix('seaborn')}"
        try:
            original(name)
        except OSError:
            note(f"matplotlib has no style {name!r}; the pictures have the usual one.")

    style.use = use  # type: ignore[assignment]
