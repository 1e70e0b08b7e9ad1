"""Methods of models: ``fit_generator`` and its kin (dropped with Keras 3.0), Keras 1's arguments of
``fit``, ``predict_classes`` (dropped with Keras 2.6)."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras.src.legacy.preprocessing.image import Iterator
from keras.src.trainers.trainer import Trainer

from trainer.shims.modules import namespaces

_RENAMED = {
    "generator": "x",
    # Keras 1, understood until 2.3.
    "nb_epoch": "epochs",
    "nb_val_samples": "validation_steps",
    "val_samples": "steps",
}
# How data was loaded in parallel: dropped from `fit` with Keras 3.0.
_DROPPED = (
    *("workers", "use_multiprocessing", "max_queue_size", "max_q_size", "pickle_safe"),
    *("nb_worker", "show_accuracy"),
)


def install(note: Callable[[str], None]) -> None:
    """To be installed over the hooks, which understand today's arguments only."""
    model = keras.Model
    model.compile = _with_metrics_third(model.compile)
    # Keras compiles a model that it loads only where its `compile` is this one.
    Trainer.compile = model.compile
    model.fit = _translating(model.fit, note)
    model.evaluate = _translating(model.evaluate, note)
    model.predict = _translating(model.predict, note)
    model.fit_generator = lambda self, generator, *given, **named: self.fit(
        generator, **_steps_first(given, named, "steps_per_epoch", "epochs", "verbose", "callbacks")
    )
    model.evaluate_generator = lambda self, generator, *given, **named: self.evaluate(
        generator, **_steps_first(given, named, "steps")
    )
    model.predict_generator = lambda self, generator, *given, **named: self.predict(
        generator, **_steps_first(given, named, "steps")
    )
    model.predict_classes = _predict_classes
    model.predict_proba = lambda self, *given, **named: self.predict(*given, **named)
    for name in ("input", "output"):
        setattr(keras.Sequential, name, _end_of_sequential(name))
    # Dropped with Keras 3.0, as Python 2 went.
    Iterator.next = lambda self: next(self)
    # Dropped with Keras 2.6; JSON is YAML as well.
    model.to_yaml = lambda self, **_: self.to_json()
    for module in namespaces("models"):
        module.model_from_yaml = keras.models.model_from_json  # type: ignore[attr-defined]


def _end_of_sequential(name: str) -> property:
    """``model.input`` of a Sequential that is built; since Keras 3.0 it has to be called first."""
    original = getattr(keras.layers.Layer, name)

    def read(model: Any) -> Any:
        functional = getattr(model, "_functional", None)
        if functional is None or model._inbound_nodes:
            return original.fget(model)
        return getattr(functional, f"{name}s")[0]

    return property(read)


def _with_metrics_third(original: Callable[..., None]) -> Callable[..., None]:
    """``compile(optimizer, loss, metrics)``: since Keras 3.0 the third one is ``loss_weights``."""

    @functools.wraps(original)
    def compile_(model: Any, *arguments: Any, **named: Any) -> None:
        if len(arguments) > 2 and "metrics" not in named and not _are_weights(arguments[2]):
            named["metrics"] = arguments[2]
            # After the metrics came loss_weights.
            named |= dict(zip(("loss_weights",), arguments[3:4], strict=False))
            arguments = arguments[:2]
        # Keras 0.3 asked for it.
        named.pop("class_mode", None)
        original(model, *arguments, **named)

    return compile_


def _are_weights(given: Any) -> bool:
    values = given.values() if isinstance(given, dict) else given
    if not isinstance(given, (list, tuple, dict)):
        return given is None or isinstance(given, (int, float))
    return all(isinstance(each, (int, float)) for each in values)


def _steps_first(given: tuple[Any, ...], named: dict[str, Any], *names: str) -> dict[str, Any]:
    return dict(zip(names, given, strict=False)) | named


def _translating(original: Callable[..., Any], note: Callable[[str], None]) -> Callable[..., Any]:
    @functools.wraps(original)
    def method(model: Any, *arguments: Any, **named: Any) -> Any:
        for old, new in _RENAMED.items():
            if old in named:
                named[new] = named.pop(old)
        for name in _DROPPED:
            named.pop(name, None)
        if "class_weight" in named:
            named["class_weight"] = _weights(named["class_weight"])
        data = arguments[0] if arguments else named.get("x")
        if "samples_per_epoch" in named:
            named["steps_per_epoch"] = _steps(data, named.pop("samples_per_epoch"))
        _limit(data, named, "steps_per_epoch", note)
        _limit(named.get("validation_data"), named, "validation_steps", note)
        _limit(data, named, "steps", note)
        return original(model, *arguments, **named)

    return method


def _weights(given: Any) -> Any:
    """Keras 1 took "auto", and did nothing for it; a list or array has the classes in order."""
    if isinstance(given, str):
        return None
    if isinstance(given, (list, tuple, np.ndarray)):
        return dict(enumerate(float(each) for each in given))
    return given


def _steps(data: Any, samples: int) -> int:
    """Keras 1 counted an epoch in samples, and later versions in batches."""
    batch = getattr(data, "batch_size", None) or 32
    return max(1, -(-int(samples) // int(batch)))


def _limit(data: Any, named: dict[str, Any], name: str, note: Callable[[str], None]) -> None:
    """Steps beyond the data: a sequence began anew until Keras 2.15, and runs out since 3.0.

    Old scripts often divide by nothing or by another batch size; Keras 1 counted samples here.
    """
    steps = named.get(name)
    if steps is None:
        return
    steps = named[name] = int(steps)
    if not isinstance(data, keras.utils.PyDataset):
        return
    batches = len(data)
    if steps > batches:
        named[name] = batches
        note(f"{name}={steps} is more than the data has; it was limited to its {batches} batches.")


def _predict_classes(model: keras.Model, *arguments: Any, **named: Any) -> Any:
    predicted = model.predict(*arguments, **named)
    if predicted.shape[-1] > 1:
        return np.argmax(predicted, axis=-1)
    return (predicted > 0.5).astype("int32")
