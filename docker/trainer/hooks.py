"""The hooks on ``keras.Model``: ``compile``, ``fit``, ``evaluate`` and ``predict``.

Every Keras model inherits these four, Sequential, functional and subclassed ones, under whatever
name a script imports Keras.
"""

import contextlib
import functools
import inspect
import os
from collections.abc import Callable
from typing import Any

import keras

from trainer import averaging, metrics, mirroring, samples, undoing
from trainer.evaluation import Evaluations
from trainer.follower import Follower
from trainer.lists import as_arrays
from trainer.network import Array
from trainer.session import Session
from trainer.validation import hold_out, validate_on_all

_COMPILED = "_retune_compiled"
LONG_EPOCH_SECONDS = 60.0
"""An epoch's length up to which a few hundred images more take seconds only."""


def install(session: Session) -> None:
    """Hook the models of this process for good."""
    Hooks(session, keras.Model.fit, keras.Model.evaluate, keras.Model.compile).install()


class Hooks:
    def __init__(
        self,
        session: Session,
        fit: Callable[..., Any],
        evaluate: Callable[..., Any],
        compile_: Callable[..., Any],
    ) -> None:
        self._session = session
        self._fit = fit
        self._evaluate = evaluate
        self._compile = compile_
        self._inside = False
        self._evaluations = Evaluations()

    def install(self) -> None:
        keras.Model.compile = self._wrapped(self._compile, self.compile)
        keras.Model.fit = self._wrapped(self._fit, self.fit)
        keras.Model.evaluate = self._wrapped(self._evaluate, self.evaluate)
        predict = keras.Model.predict
        keras.Model.predict = self._wrapped(predict, functools.partial(_quietly, predict))

    @staticmethod
    def _wrapped(original: Callable[..., Any], hook: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def method(model: keras.Model, *arguments: Any, **named: Any) -> Any:
            return hook(model, *arguments, **named)

        return method

    def compile(self, model: keras.Model, *arguments: Any, **named: Any) -> Any:
        given = _bound(self._compile, model, arguments, named)
        # Past Keras' attribute tracking: the arguments are none of the model's state.
        object.__setattr__(model, _COMPILED, given)
        return self._compile(model, **given)

    def fit(self, model: keras.Model, *arguments: Any, **named: Any) -> Any:
        if self._inside:
            return self._fit(model, *arguments, **named)
        session = self._session
        session.check_stop()
        given = as_arrays(model, _bound(self._fit, model, arguments, named))
        given = validate_on_all(hold_out(given, session.state.note), session.state.note)
        added = self._add_accuracy(model)
        others = _callbacks(given.get("callbacks"))
        _make_folders(others)
        if not any(isinstance(each, keras.callbacks.History) for each in others):
            others.append(keras.callbacks.History())
        fit = session.enter_fit()
        first = given.get("initial_epoch") or 0
        if fit.checkpoint is not None:
            _append_to_logs(others)
        averages = averaging.Averaging() if averaging.wanted(model, others) else None
        if averages is not None:
            session.state.note(averaging.NOTE)

        def images() -> Array | None:
            found = samples.of_training(given, undoing.MOST_IMAGES)
            return None if found is None else found.images

        epochs, says = given.get("epochs", 1), given.get("verbose") != 0
        follower = Follower(session, others, first, epochs, says, averages, images)
        callbacks = [*filter(None, [averages]), *others, follower]
        look = functools.partial(self._look_in_the_mirror, model, given, follower)
        self._inside = True
        try:
            history = self._fit(model, **given | {"callbacks": callbacks, "verbose": 0})
        except BaseException:
            with contextlib.suppress(Exception):  # What ended it counts.
                follower.keep_best(look if self._is_stopped_quickly() else None)
            raise
        else:
            follower.keep_best(look)
            return history
        finally:
            self._inside = False
            model._initial_epoch = None
            session.leave_fit()
            if added:
                self._compile_as_before(model)
            self._evaluations.fitted(model, given)

    def _is_stopped_quickly(self) -> bool:
        """Whether somebody has asked to stop, and to look at some more images takes no time."""
        ended, epochs = self._session.ended, self._session.fit.epochs
        is_stopped = ended is not None and ended.ending.outcome == "stopped"
        return is_stopped and bool(epochs) and epochs[-1].seconds < LONG_EPOCH_SECONDS

    def _look_in_the_mirror(
        self, model: keras.Model, given: dict[str, Any], follower: Follower
    ) -> None:
        """Measure what mirroring costs the best epoch's model, which is in place."""
        if not self._session.request.mirror:
            return
        weights, validated = follower.validated or (None, None)
        # A callback may have put others in their place since.
        known = validated if weights == mirroring.fingerprint(model) else None

        def accuracy(x: Any, y: Any) -> float | None:
            return metrics.measured_accuracy(model, self._evaluate(model, x, y, verbose=0))

        self._session.state.mirroring = mirroring.cost(accuracy, given, known)

    def evaluate(self, model: keras.Model, *arguments: Any, **named: Any) -> Any:
        if self._inside:
            return self._evaluate(model, *arguments, **named)
        self._session.check_stop()
        given = as_arrays(model, _bound(self._evaluate, model, arguments, named))
        result = self._evaluate(model, **given | {"verbose": _compact(given.get("verbose"))})
        accuracy = metrics.measured_accuracy(model, result)
        self._session.state.test_accuracy = self._evaluations.evaluated(model, given, accuracy)
        return result

    def _compile_as_before(self, model: keras.Model) -> None:
        # Keras keeps the metrics of an earlier `compile` where the later one has none.
        model._compile_metrics = None
        self._compile(model, **_compiled(model) | {"optimizer": model.optimizer})

    def _add_accuracy(self, model: keras.Model) -> bool:
        """Compile a model that classifies, and measures no accuracy, with one; whether it did so.

        After ``fit`` it is compiled as before: ``evaluate`` returns what the script expects.
        """
        given = _compiled(model)
        if not given or metrics.has_accuracy(given.get("metrics")):
            return False
        if metrics.has_accuracy(given.get("weighted_metrics")):
            return False
        before = given.get("metrics") or []
        accuracy = metrics.accuracy_for(model, given.get("loss"))
        if accuracy is None or not isinstance(before, (list, tuple)):
            return False
        changed = {"metrics": [*before, accuracy], "optimizer": model.optimizer}
        self._compile(model, **given | changed)
        self._session.state.note(
            "The script measures no accuracy; the metric 'accuracy' was added for its training."
        )
        return True


def _bound(
    original: Callable[..., Any], model: Any, arguments: tuple[Any, ...], named: dict[str, Any]
) -> dict[str, Any]:
    """The arguments by name, without the model. Raises TypeError as the call itself would."""
    bound = inspect.signature(original).bind(model, *arguments, **named).arguments
    given = dict(bound)
    given.pop(next(iter(inspect.signature(original).parameters)))
    more: dict[str, Any] = given.pop("kwargs", {})
    return given | more


def _compiled(model: keras.Model) -> dict[str, Any]:
    return dict(getattr(model, _COMPILED, {}))


def _callbacks(given: Any) -> list[keras.callbacks.Callback]:
    if given is None:
        return []
    if isinstance(given, keras.callbacks.CallbackList):
        return list(given.callbacks)
    if isinstance(given, (list, tuple)):
        return [each for item in given for each in _callbacks(item)]
    return [given]


def _make_folders(callbacks: list[keras.callbacks.Callback]) -> None:
    """For the logs: a folder that the script's author has, and git does not keep."""
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.CSVLogger):
            with contextlib.suppress(OSError):
                os.makedirs(os.path.dirname(str(callback.filename)) or ".", exist_ok=True)


def _append_to_logs(callbacks: list[keras.callbacks.Callback]) -> None:
    """A log that the script's callbacks began before a relaunch is gone on with."""
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.CSVLogger):
            callback.append = True


def _compact(verbose: Any) -> Any:
    """One line instead of a progress bar; silence stays silence."""
    return 0 if verbose == 0 else 2


def _quietly(predict: Callable[..., Any], model: keras.Model, *arguments: Any, **named: Any) -> Any:
    given = _bound(predict, model, arguments, named)
    return predict(model, **given | {"verbose": 0})
