"""Which of Keras' metrics is the accuracy, and giving a model one that has none."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from trainer.state import as_number

_USUAL = (
    "accuracy",
    "acc",
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
)


def accuracy_name(logs: Mapping[str, Any]) -> str | None:
    """The training accuracy's name in Keras' logs, whatever the metric is called.

    Models with several outputs put the output's name before it; the first one counts then. A
    top-k accuracy is none.
    """
    names = [name.removeprefix("val_") for name in logs]
    for usual in _USUAL:
        if usual in names:
            return usual
    for name in names:
        lowered = name.lower()
        if lowered.endswith(("acc", "accuracy")) and "top" not in lowered:
            return name
    return None


def numbers(logs: Mapping[str, Any]) -> dict[str, float]:
    """The logs that are finite numbers."""
    found = {name: as_number(value) for name, value in logs.items()}
    return {name: value for name, value in found.items() if value is not None}


def learning_rate(model: keras.Model) -> float | None:
    try:
        return as_number(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    except (AttributeError, TypeError, ValueError):
        return None


def has_accuracy(metrics: Any) -> bool:
    """Whether what was given to ``compile`` as ``metrics`` has an accuracy among it."""
    if metrics is None:
        return False
    if isinstance(metrics, Mapping):
        return any(has_accuracy(each) for each in metrics.values())
    if isinstance(metrics, (list, tuple)):
        return any(has_accuracy(each) for each in metrics)
    return accuracy_name({_name(metrics): 0.0}) is not None


def accuracy_for(model: keras.Model, loss: Any) -> Any | None:
    """An accuracy that fits a compiled loss; None where the model does not classify."""
    if isinstance(loss, (list, tuple, Mapping)):
        return None
    name = _name(loss).lower().replace("_", "")
    from_logits = bool(getattr(loss, "from_logits", False)) or bool(
        getattr(loss, "_fn_kwargs", {}).get("from_logits", False)
    )
    if "binarycrossentropy" in name and from_logits:
        return keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
    if "crossentropy" in name or "hinge" in name or "kl" in name:
        return "accuracy"
    last = model.layers[-1] if model.layers else None
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    return "accuracy" if activation in ("softmax", "sigmoid") else None


def classes(model: keras.Model, accuracy: str | None) -> int | None:
    """How many classes the output tells apart, by this accuracy; None where it does not show."""
    try:
        units = model.output_shape[-1]
    except (AttributeError, IndexError, RuntimeError, ValueError):
        return None
    if not isinstance(units, int):
        return None
    return 2 if "binary" in (accuracy or "") else max(2, units)


def images_seen(model: keras.Model) -> int | None:
    """How many images the last epoch or evaluation had: Keras' mean of the loss weighs by them.

    None where a model measures its loss by itself.
    """
    count = getattr(getattr(model, "_loss_tracker", None), "count", None)
    seen = 0 if count is None else round(float(count))
    return seen or None


def _name(metric: Any) -> str:
    if isinstance(metric, str):
        return metric
    name = getattr(metric, "name", None) or getattr(metric, "__name__", None)
    return name if isinstance(name, str) else type(metric).__name__


def measured_accuracy(model: keras.Model, result: Any) -> float | None:
    """The accuracy in what ``evaluate`` returned: a number, a list by ``metrics_names``, a dict."""
    if not isinstance(result, Mapping):
        values = np.atleast_1d(np.asarray(result, dtype=float))
        logs = model.get_metrics_result()
        if len(values) != len(logs):
            return None
        result = dict(zip(logs, values, strict=True))
    name = accuracy_name(result)
    return as_number(result[name]) if name in result else None
