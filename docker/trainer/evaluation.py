"""Which of a script's own ``evaluate`` calls measured the test accuracy, if it is clear."""

import weakref
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np


class Evaluations:
    """Knows what data the last ``fit`` saw, and what was evaluated since.

    A figure counts as test accuracy where the model that was fitted last is evaluated, on data that
    is neither its training nor its validation data, and where all such calls used the same data.
    """

    def __init__(self) -> None:
        self._model: weakref.ref[keras.Model] | None = None
        self._seen: list[Any] = []
        self._test: Any = None
        self._accuracy: float | None = None
        self._is_ambiguous = False

    def fitted(self, model: keras.Model, given: Mapping[str, Any]) -> None:
        validation = given.get("validation_data")
        if isinstance(validation, (list, tuple)) and validation:
            validation = validation[0]
        self._seen = [each for each in (given.get("x"), validation) if each is not None]
        if self._model is None or self._model() is not model:
            self._test, self._is_ambiguous = None, False
        self._accuracy = None
        self._model = weakref.ref(model)

    def evaluated(
        self, model: keras.Model, given: Mapping[str, Any], accuracy: float | None
    ) -> float | None:
        """The test accuracy after this call of ``evaluate``, which measured ``accuracy``."""
        data = given.get("x")
        if accuracy is None or self._model is None or self._model() is not model:
            return self._accuracy
        if any(is_same(data, each) for each in self._seen):
            return self._accuracy
        if self._test is not None and not is_same(data, self._test):
            self._is_ambiguous = True
        self._test = data
        self._accuracy = None if self._is_ambiguous else accuracy
        return self._accuracy


def is_same(one: Any, other: Any) -> bool:
    """Whether two things given as data hold the same images, or may do so."""
    if one is other:
        return True
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return np.shares_memory(one, other) or (
            one.shape == other.shape and bool(np.array_equal(one, other))
        )
    files, others = _files(one), _files(other)
    if files and others:
        return not files.isdisjoint(others)
    # Iterators that hide what they read cannot be told apart: not clear means the same.
    return type(one) is type(other) and not isinstance(one, np.ndarray)


def _files(data: Any) -> set[str]:
    """The image files that an iterator or data set reads, where it says so."""
    for name in ("filepaths", "file_paths"):
        files = getattr(data, name, None)
        if files is not None:
            return {str(each) for each in files}
    for name in ("_input_dataset", "_dataset"):
        below = getattr(data, name, None)
        if below is not None:
            return _files(below)
    return set()
