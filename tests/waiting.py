"""Waiting for what happens elsewhere, with an end to it."""

import time
from collections.abc import Callable
from typing import Any


def wait_for(condition: Callable[[], Any], seconds: float = 20.0, interval: float = 0.05) -> Any:
    """Wait until something is true, look each ``interval`` seconds, and give it back."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(interval)
    return found
