"""``tf.data`` without its autotuning, and pipelines divided in two below what shuffles them."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.data.ops.dataset_ops import DatasetV2

# One element in, one out or some together, whatever the others are: done again on a part of the
# data, they do to its elements what they did to all.
_STEPS = ("map", "batch", "prefetch", "cache", "shuffle", "repeat", "with_options")
_MADE = "_retune_made"
_NOT_VALIDATED = ("shuffle", "repeat")

# Sources that give the same elements in the same order each time.
_STABLE = frozenset(
    {
        *("_TensorSliceDataset", "_RangeDataset", "_ZipDataset", "_MapDataset"),
        *("_ParallelMapDataset", "_TakeDataset", "_SkipDataset", "_ConcatenateDataset"),
        *("_OptionsDataset", "_BatchDataset", "_ParallelBatchDataset", "_PrefetchDataset"),
    }
)

# Those that give the same elements, in whatever order.
_AGAIN = frozenset({"_ShuffleDataset", "_CacheDataset", "_RepeatDataset", "CacheDataset"})


def end_at_once() -> None:
    """Have each iteration over a data set begin with autotuning off, where the script says nothing.

    Keras makes an iterator for each epoch and each validation, and TensorFlow waits in its
    destructor for the autotuner's thread. A trial was seen to stand still there (2.21, one stack);
    how often that happens was not measured. What the pipelines give is the same.
    """
    original = DatasetV2.__iter__

    @functools.wraps(original)
    def iterate(dataset: Any) -> Any:
        if dataset.options().autotune.enabled is None:
            options = tf.data.Options()
            options.autotune.enabled = False
            dataset = dataset.with_options(options)
        return original(dataset)

    DatasetV2.__iter__ = iterate


def remember_steps() -> None:
    """Have each data set that a script makes from another know how, for ``divided``."""
    for name in _STEPS:
        setattr(DatasetV2, name, _remembering(name, getattr(DatasetV2, name)))


def _remembering(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def step(dataset: Any, *arguments: Any, **named: Any) -> Any:
        made = original(dataset, *arguments, **named)
        if made is not dataset and not tf.inside_function():
            bound = inspect.signature(original).bind(dataset, *arguments, **named)
            setattr(made, _MADE, (dataset, name, dict(bound.arguments)))
        return made

    return step


def divided(
    dataset: Any, choose: Callable[[int], np.ndarray[Any, Any]]
) -> tuple[tf.data.Dataset, tf.data.Dataset] | None:
    """The pipeline on the elements that ``choose`` does not mark, and on those that it marks.

    The elements are divided where they come from, before anything shuffles or batches them, so that
    none is on both sides. None where that is not known to hold: for a source that may give them in
    another order each time, or a number of them that it does not say.
    """
    steps: list[tuple[str, dict[str, Any]]] = []
    while made := getattr(dataset, _MADE, None):
        dataset, name, arguments = made
        if name == "cache" and arguments.get("filename"):
            return None  # what is in the file is all of the data
        steps.insert(0, (name, arguments))
    count = int(dataset.cardinality())
    if count < 2 or not _is_stable(dataset):
        return None
    marks = tf.constant(choose(count))

    def part(marked: bool) -> Any:
        of = dataset.enumerate().filter(lambda number, _: tf.equal(marks[number], marked))
        found = of.map(lambda _, element: element)
        size = int(np.count_nonzero(marks.numpy() == marked))
        found = found.apply(tf.data.experimental.assert_cardinality(size))
        for name, arguments in steps:
            if not (marked and name in _NOT_VALIDATED):
                _, *others = arguments.items()
                found = getattr(found, name)(**dict(others))
        return found

    training, validation = part(False), part(True)
    # Batches that must be full may leave nothing.
    return (training, validation) if training.cardinality() and validation.cardinality() else None


def reads_again(dataset: Any) -> bool:
    """Whether a pipeline gives all that it has, however often it was read before."""
    known = type(dataset).__name__ in _STABLE | _AGAIN
    return known and all(reads_again(each) for each in dataset._inputs())


def _is_stable(dataset: Any) -> bool:
    if type(dataset).__name__ not in _STABLE or dataset.options().deterministic is False:
        return False
    return all(_is_stable(each) for each in dataset._inputs())
