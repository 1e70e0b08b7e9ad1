"""A tiny problem that a tiny network learns in a few epochs, and the study that it is run in."""

import functools
import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.environment.spool import Request, Result, Spool
from tests.waiting import wait_for

DATA = """
import numpy as np
import keras
from keras import layers

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 96)
x = (rng.normal(size=(96, 8, 8, 3)) + 0.8 * y[:, None, None, None]).astype("float32")
"""
MODEL = """
keras.utils.set_random_seed(7)
model = keras.Sequential(
    [
        keras.Input((8, 8, 3)),
        layers.Conv2D(4, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(2, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
"""
FIT = "history = model.fit(x[:64], y[:64], epochs=3, validation_data=(x[64:80], y[64:80]))\n"
# Fits with this callback are slow enough to be met in the middle.
SLOW = """
import time

class Slow(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.03)
"""


wait = functools.partial(wait_for, seconds=120.0, interval=0.01)
DOCKER = Path(__file__).parents[2] / "docker"


def run_apart(program: str, *arguments: str, folder: Path | None = None) -> None:
    """Run a program that asserts something, in a process that has the trainer to import."""
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(DOCKER), "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=True,
    )


def evaluated(spool: Spool) -> tuple[float, float]:
    """Loss and accuracy of a trial's saved model on the last third of the data."""
    import keras

    names: dict[str, Any] = {}
    exec(DATA, names)
    x, y = names["x"], names["y"]
    loss, accuracy = keras.saving.load_model(spool.model).evaluate(x[64:], y[64:], verbose=0)
    return loss, accuracy


@dataclass
class Study:
    """A study's folder, and the trainer that serves it."""

    folder: Path
    launch: Callable[[Path], int]
    pid: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        for name in ("source", "trials", "data"):
            (self.folder / name).mkdir(parents=True)

    def start(self) -> None:
        self.pid = self.launch(self.folder)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End the trainer and wait until it and its trial are gone."""
        os.kill(self.pid, number)
        wait(lambda: not Path(f"/proc/{self.pid}").exists())

    def submit(self, script: str, *, name: str = "cnn.py", **request: Any) -> Spool:
        number = next(self._numbers)
        source = self.folder / "source" / str(number)
        (source / name).parent.mkdir(parents=True)
        (source / name).write_text(textwrap.dedent(script))
        spool = Spool.of(self.folder, number)
        spool.submit(Request(study="test", trial=number, script=name, **request))
        return spool

    def run(self, script: str, **request: Any) -> tuple[Result, Spool]:
        """Run a script to its end."""
        spool = self.submit(script, **request)
        return self.result(spool), spool

    def run_killed(self, script: str, after: int, before: int) -> tuple[Result, Spool]:
        """Run a script whose trainer is killed once, between two numbers of epochs."""
        spool = self.submit(script)
        wait(lambda: len(epochs(spool)) >= after)
        self.kill()
        assert len(epochs(spool)) < before
        self.start()
        result = self.result(spool)
        assert result.outcome == "complete", result.reason
        return result, spool

    def result(self, spool: Spool) -> Result:
        return wait(spool.result)


def epochs(spool: Spool) -> list[tuple[int, int]]:
    """(fit, epoch) of each line of the progress."""
    return [(each.fit, each.epoch) for each in spool.epochs()]


def read_json(spool: Spool, name: str) -> Any:
    return json.loads((spool.folder / "work" / name).read_text())
