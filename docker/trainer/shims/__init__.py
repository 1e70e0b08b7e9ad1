"""Idioms of older Keras that Keras 3 dropped, made to work in the trainer's process alone.

Each shim names the version that dropped its idiom. The scripts are not touched.
"""

from collections.abc import Callable

from trainer.shims import (
    absent,
    boards,
    convolution,
    devices,
    history,
    kaggle,
    layers,
    models,
    modules,
    optimizers,
    others,
    saving,
    tables,
    wrappers,
)


def prepare() -> None:
    """Do what needs some time and nothing of a trial: the old module paths, a late import."""
    modules.install()
    tables.prepare()


def install(note: Callable[[str], None]) -> None:
    """Put all others in place; ``note`` is told of those that changed what a script means."""
    others.install(note)
    optimizers.install()
    layers.install(note)
    models.install(note)
    history.install()
    saving.install()
    convolution.install()
    devices.install(note)
    boards.install(note)
    kaggle.install()
    tables.install(note)
    wrappers.install()
    absent.install(note)
