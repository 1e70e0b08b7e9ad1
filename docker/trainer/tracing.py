"""A step traced once: the variables that it would make on its first call are there before."""

import functools
from contextlib import suppress
from typing import Any

import keras
import tensorflow as tf
from keras.src import backend, tree
from keras.src.models.functional import Functional

_STEPS = ("train_step", "test_step", "compute_loss", "compute_metrics")


def trace_once() -> None:
    """Have Keras build metrics and loss from the shapes of their data.

    It leaves them to the first step, and the optimizer as well, for which the follower calls
    ``build_optimizer``. A function that makes variables is traced a second time by TensorFlow: for
    a network of four normalised blocks that was 2 to 4 s of each trial. No data is read for it,
    and no random number drawn.
    """
    original = keras.Model._maybe_symbolic_build

    @functools.wraps(original)
    def build(model: keras.Model, iterator: Any = None, data_batch: Any = None) -> None:
        original(model, iterator=iterator, data_batch=data_batch)
        data = getattr(iterator, "_distributed_dataset", None)
        if isinstance(data, tf.data.Dataset) and model.built and _steps_as_keras_does(model):
            _build_metrics(model, data.element_spec)

    keras.Model._maybe_symbolic_build = build


def build_optimizer(model: keras.Model) -> None:
    """To be called right before the first step: until then a callback may thaw layers."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizer.built and _steps_as_keras_does(model):
        optimizer.build(model.trainable_variables)


def _steps_as_keras_does(model: keras.Model) -> bool:
    """A step of the script's own may give metrics and optimizer something else than the data and
    all weights; layers that are built in the step have their weights only then."""
    kind = type(model)
    return (
        not model.run_eagerly
        and all(getattr(kind, each) is getattr(keras.Model, each) for each in _STEPS)
        and all(each.built for each in model._flatten_layers(include_self=False))
    )


def _build_metrics(model: keras.Model, batch: Any) -> None:
    metrics, loss = model._compile_metrics, model._compile_loss
    if all(part is None or part.built for part in (loss, metrics)):
        return
    try:
        symbols = tree.map_structure(_symbol, batch)
        x, y, weights = keras.utils.unpack_x_y_sample_weight(symbols)
        predicted = _predicted(model, x)
        for part, compute in ((loss, model._compute_loss), (metrics, model.compute_metrics)):
            if part is not None and not part.built:
                backend.compute_output_spec(compute, x, y, predicted, sample_weight=weights)
    except Exception:
        # Of an unknown shape, or of no use: the first step builds them, or says what is wrong.
        return


def _symbol(spec: tf.TensorSpec) -> keras.KerasTensor:
    """Of a batch of any size, as a network's own input is."""
    return keras.KerasTensor((None, *spec.shape[1:]), backend.standardize_dtype(spec.dtype))


def _predicted(model: keras.Model, x: Any) -> Any:
    """What the model gives for these symbols.

    Keras' own kinds know it without being called, but for data that they adapt to their inputs.
    """
    if type(model) in (keras.Sequential, Functional):
        with suppress(Exception):
            return model.compute_output_spec(x)
    return backend.compute_output_spec(model, x, training=False)
