"""TensorBoard, which TensorFlow does not bring along since 2.21: a script logs to it, unread."""

import importlib.util
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from trainer.shims.modules import namespaces

_SUMMARIES = ("scalar", "image", "histogram", "text", "audio", "graph", "trace_on", "trace_export")


def install(note: Callable[[str], None]) -> None:
    if importlib.util.find_spec("tensorboard") is not None:
        return

    class TensorBoard(keras.callbacks.Callback):  # type: ignore[misc]
        """Takes the arguments of all Keras versions, and writes nothing."""

        def __init__(self, log_dir: Any = "logs", *_: Any, **__: Any) -> None:
            super().__init__()
            self.log_dir = log_dir
            note("TensorBoard is not here: the script's logs for it are not written.")

    for module in namespaces("callbacks"):
        module.TensorBoard = TensorBoard  # type: ignore[attr-defined]
    for name in _SUMMARIES:
        setattr(tf.summary, name, lambda *_, **__: True)
