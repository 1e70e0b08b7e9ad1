"""``acc`` and ``val_acc``: the accuracy's names until Keras 2.2, in histories and callbacks."""

import functools
import re
from collections.abc import Callable
from typing import Any

import keras

_OLD = {"acc": "accuracy", "val_acc": "val_accuracy"}
_NEW = {new: old for old, new in _OLD.items()}


class Curves(dict[str, Any]):
    """A history that is found under either name, and is otherwise as it is."""

    def __missing__(self, name: str) -> Any:
        other = _OLD.get(name) or _NEW.get(name)
        if other is None or not dict.__contains__(self, other):
            raise KeyError(name)
        return self[other]

    def get(self, name: Any, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default


def install() -> None:
    history = keras.callbacks.History
    history.__init__ = _with_curves(history.__init__)
    keras.callbacks.CallbackList.on_epoch_end = _with_names(
        keras.callbacks.CallbackList.on_epoch_end
    )


def _with_curves(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def init(self: Any, *arguments: Any, **named: Any) -> None:
        original(self, *arguments, **named)
        self.history = Curves()

    return init


def _with_names(original: Callable[..., None]) -> Callable[..., None]:
    """Before an epoch's end is told, callbacks that wait for a name it lacks get the other."""

    @functools.wraps(original)
    def on_epoch_end(self: Any, epoch: int, logs: Any = None) -> None:
        for callback in self.callbacks:
            _rename(callback, logs or {})
        original(self, epoch, logs)

    return on_epoch_end


def _rename(callback: keras.callbacks.Callback, logs: Any) -> None:
    for old, new in (*_OLD.items(), *_NEW.items()):
        if old in logs or new not in logs:
            continue
        if getattr(callback, "monitor", None) == old:
            callback.monitor = new
        path = getattr(callback, "filepath", None)
        if isinstance(path, str):
            callback.filepath = re.sub(rf"\{{{old}([:!}}])", rf"{{{new}\1", path)
