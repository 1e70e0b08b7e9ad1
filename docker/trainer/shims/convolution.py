"""``channels_first`` on a processor, which Theano had and TensorFlow's gradients have not.

Scripts of the days of Theano (Keras until 2.3) put the channels first. Keras turns the data round
for pooling itself; here it is done for convolutions as well.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras.src import backend


def install() -> None:
    if tf.config.list_physical_devices("GPU"):
        return
    for name in ("conv", "conv_transpose"):
        setattr(backend.nn, name, _channels_last(getattr(backend.nn, name)))


def _channels_last(original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def convolve(*arguments: Any, **named: Any) -> Any:
        given = signature.bind(*arguments, **named)
        call = given.arguments
        order = backend.standardize_data_format(call.get("data_format"))
        if order == "channels_last" or len(call["inputs"].shape) != 4:
            return original(*arguments, **named)
        call["inputs"] = tf.transpose(call["inputs"], (0, 2, 3, 1))
        call["data_format"] = "channels_last"
        return tf.transpose(original(*given.args, **given.kwargs), (0, 3, 1, 2))

    return convolve
