"""What old scripts use beside Keras' layers and models: NumPy's and Pillow's names, sessions."""

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.shims.absent import Nothing
from trainer.shims.modules import namespaces

# Names of Python's own types and modules, dropped with NumPy 1.24, 1.25 and 2.0, and doubles.
_NUMPY = {
    "float": float,
    "int": int,
    "object": object,
    "str": str,
    "complex": complex,
    "bool8": np.bool_,
    "int0": np.intp,
    "uint0": np.uintp,
    "float_": np.float64,
    "complex_": np.complex128,
    "string_": np.bytes_,
    "unicode_": np.str_,
    "Inf": np.inf,
    "Infinity": np.inf,
    "infty": np.inf,
    "PINF": np.inf,
    "NINF": -np.inf,
    "NaN": np.nan,
    "math": math,
    "warnings": warnings,
    "VisibleDeprecationWarning": np.exceptions.VisibleDeprecationWarning,
    "alltrue": np.all,
    "sometrue": np.any,
    "product": np.prod,
    "cumproduct": np.cumprod,
    "in1d": np.isin,
    "row_stack": np.vstack,
    "trapz": np.trapezoid,
    "asfarray": lambda values: np.asarray(values, float),
}
# TensorFlow 1, dropped from the top with 2.0.
_TENSORFLOW = (
    *("ConfigProto", "GPUOptions", "Session", "InteractiveSession", "set_random_seed", "logging"),
    *("get_default_graph", "reset_default_graph", "global_variables_initializer"),
)
# Switches to TensorFlow 1, under which Keras 3.0 cannot train.
_SWITCHES = (
    *("disable_eager_execution", "disable_v2_behavior", "disable_v2_tensorshape"),
    *("disable_resource_variables", "disable_control_flow_v2"),
)


def install(note: Callable[[str], None]) -> None:
    for name, value in _NUMPY.items():
        if name not in vars(np):
            setattr(np, name, value)
    for name in _TENSORFLOW:
        if not hasattr(tf, name):
            setattr(tf, name, getattr(tf.compat.v1, name))
    for name in _SWITCHES:
        for holder in (tf, tf.compat.v1):
            setattr(holder, name, lambda *_, name=name: note(f"tf.{name}() was left out."))
    tf.enable_eager_execution = tf.compat.v1.enable_eager_execution = lambda *_, **__: None
    _pillow()
    for backend in namespaces("backend"):
        _backend(backend)
    for utils in namespaces("utils"):
        # Image folders as Keras 2.4 offered them; `multi_gpu_model` was dropped with Keras 2.4.
        if not hasattr(utils, "multi_gpu_model"):
            utils.multi_gpu_model = lambda model, *_, **__: model  # type: ignore[attr-defined]
        utils.to_categorical = _one_hot(utils.to_categorical)  # type: ignore[attr-defined]
        for name in ("plot_model", "model_to_dot"):
            setattr(utils, name, _without_graphviz(getattr(utils, name), note))


def _one_hot(original: Callable[..., Any]) -> Callable[..., Any]:
    """``to_categorical`` took a type, and its labels as ``y``, until Keras 2.15.

    In Keras 1 the classes' number was ``nb_classes``.
    """

    @functools.wraps(original)
    def to_categorical(
        x: Any = None,
        num_classes: int | None = None,
        dtype: Any = None,
        y: Any = None,
        nb_classes: int | None = None,
    ) -> Any:
        made = original(y if x is None else x, num_classes if nb_classes is None else nb_classes)
        return made if dtype is None else np.asarray(made).astype(dtype)

    return to_categorical


def _without_graphviz(
    original: Callable[..., Any], note: Callable[[str], None]
) -> Callable[..., Any]:
    """Both raise an ImportError since Keras 3.0 where Graphviz is missing."""

    @functools.wraps(original)
    def draw(*arguments: Any, **named: Any) -> Any:
        try:
            return original(*arguments, **named)
        except Exception as error:
            first = str(error).partition("\n")[0]
            note(f"The model was not drawn: {first}")
            # The script goes on with what was drawn.
            return Nothing()

    return draw


def _pillow() -> None:
    from PIL import Image

    # Dropped with Pillow 10.0.
    if not hasattr(Image, "ANTIALIAS"):
        Image.ANTIALIAS = Image.Resampling.LANCZOS  # type: ignore[attr-defined]


def _backend(backend: Any) -> None:
    orders = {"th": "channels_first", "tf": "channels_last"}
    names = {new: old for old, new in orders.items()}
    extra = {
        # Keras 1's names of the data format, understood until 2.3.
        "set_image_dim_ordering": lambda order: backend.set_image_data_format(orders[order]),
        "image_dim_ordering": lambda: names[backend.image_data_format()],
        # Sessions: without meaning since TensorFlow 2.0, dropped with Keras 3.0.
        "set_session": lambda *_: None,
        "get_session": lambda *_: tf.compat.v1.Session(),
        "set_learning_phase": lambda *_: None,
        "tensorflow_backend": backend,
    }
    for name, value in extra.items():
        if not hasattr(backend, name):
            setattr(backend, name, value)
    # Those that there are know TensorFlow's variables only, and not Keras 3's.
    backend.set_value = lambda variable, value: variable.assign(value)
    backend.get_value = keras.ops.convert_to_numpy
