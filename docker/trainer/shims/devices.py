"""Scripts that ask for a GPU and configure it, where there is none: they train on the processor."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from trainer import script

_OWN = ("tensorflow", "keras")


class _NoGpu:
    """What ``list_physical_devices("GPU")[0]`` is to a script, and nothing to TensorFlow."""

    name = "/physical_device:GPU:0"
    device_type = "GPU"


class _NoGpus(list[Any]):
    """Empty, so that a script takes its way without a GPU; the first of them can be configured."""

    def __getitem__(self, index: Any) -> Any:
        return _NoGpu() if index == 0 else super().__getitem__(index)


def install(note: Callable[[str], None]) -> None:
    if tf.config.list_physical_devices("GPU"):
        return
    for holder in (tf.config, tf.config.experimental):
        for name in ("list_physical_devices", "list_logical_devices"):
            if hasattr(holder, name):
                setattr(holder, name, _listing(getattr(holder, name), note))
        for name in (
            *("set_memory_growth", "set_virtual_device_configuration"),
            *("set_logical_device_configuration", "set_visible_devices"),
        ):
            if hasattr(holder, name):
                setattr(holder, name, _answering(getattr(holder, name), None))
        for name, answer in (("get_memory_growth", False), ("get_device_details", {})):
            if hasattr(holder, name):
                setattr(holder, name, _answering(getattr(holder, name), answer))


def _listing(original: Callable[..., Any], note: Callable[[str], None]) -> Callable[..., Any]:
    @functools.wraps(original)
    def devices(device_type: str | None = None) -> Any:
        caller = sys._getframe(1)
        asking = caller.f_globals.get("__name__", "")
        if device_type != "GPU" or asking.partition(".")[0] in _OWN:
            return original(device_type)
        note("The script asks for a GPU; there is none, and it trains on the processor.")
        # A script that insists on one is given one.
        if script.is_asserted(caller.f_code.co_filename, caller.f_lineno):
            return [_NoGpu()]
        return _NoGpus()

    return devices


def _answering(original: Callable[..., Any], answer: Any) -> Callable[..., Any]:
    @functools.wraps(original)
    def answering(*arguments: Any, **named: Any) -> Any:
        if any(_is_stand_in(each) for each in (*arguments, *named.values())):
            return answer
        return original(*arguments, **named)

    return answering


def _is_stand_in(given: Any) -> bool:
    each = given if isinstance(given, (list, tuple)) else [given]
    return any(isinstance(one, _NoGpu) for one in each)
