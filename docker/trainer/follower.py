"""The callback that follows a ``fit``: progress, checkpoint, resume, target, stop, NaN."""

# ruff: noqa: ARG002  (the signatures are Keras')

import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from trainer import checkpoint, metrics
from trainer.averaging import Averaging, steps_taken, swap
from trainer.failures import Ending
from trainer.inherit import inherit_into, is_convolutional
from trainer.mirroring import fingerprint
from trainer.network import Array
from trainer.session import Session
from trainer.spool import Epoch
from trainer.tracing import build_optimizer

NOT_A_NUMBER = (
    "The loss became NaN in epoch {epoch}; a lower learning rate or a check of the data helps."
)


KEPT_SECONDS = 60.0
"""How old the saved model may become while a better one is known."""


class Follower(keras.callbacks.Callback):  # type: ignore[misc]
    """Goes last in the list, so that it sees what the script's callbacks have made of an epoch.

    ``first`` and ``epochs``: the planned epochs of this ``fit`` as Keras counts them, from and to.
    ``averages``: puts averaged weights in place after each epoch, where the optimizer keeps them.
    ``images``: gives some of those that it trains on, where they can be had.
    """

    # Keras then calls the batch hooks from a thread and need not wait for each step's metrics.
    async_safe = True

    def __init__(
        self,
        session: Session,
        others: Sequence[keras.callbacks.Callback],
        first: int,
        epochs: int,
        says: bool,
        averages: Averaging | None = None,
        images: Callable[[], Array | None] = lambda: None,
    ) -> None:
        super().__init__()
        self._session = session
        self._others = others
        self._first = first
        self._epochs = epochs
        self._says = says
        self._averages = averages
        self._images = images
        self._began = 0.0
        self._kept = time.monotonic()
        self._epoch = 0
        self._batches = 0
        self._is_nan = False
        self._weights = 0
        self.validated: tuple[int, float | None] | None = None
        """The best epoch's weights as they were validated, as a number, and their accuracy."""

    def on_train_begin(self, logs: Any = None) -> None:
        session, fit = self._session, self._session.fit
        # Before its first step a subclassed model has its layers built, and does not know it.
        if not self.model.built and self.model.weights:
            self.model.built = True
        sizes = [math.prod(each.shape) for each in self.model.weights]
        session.state.parameters = sum(sizes)
        steps = self.params.get("steps")
        if steps is not None or not fit.ended:
            session.state.steps = steps
        if fit.checkpoint is not None and self._resume(fit.checkpoint):
            return
        inherits = self._is_to_inherit()
        whole = inherits and inherit_into(self.model, session, self._images)
        is_new = inherits or not steps_taken(self.model)
        if self._averages is not None and is_new and not whole:
            self._averages.begin_late()

    def _is_to_inherit(self) -> bool:
        """The first ``fit`` of a convolutional network inherits, also where it is begun again."""
        session = self._session
        if session.request.inherit is None or not is_convolutional(self.model):
            return False
        if session.state.inheriting_fit is None:
            session.state.inheriting_fit = session.fit_number
        return session.state.inheriting_fit == session.fit_number

    def _resume(self, name: str) -> bool:
        """Whether the checkpoint could be taken; otherwise the fit begins anew."""
        session, fit = self._session, self._session.fit
        try:
            checkpoint.restore(session.trial.checkpoint / name, self.model, self._others)
        except checkpoint.CheckpointError as error:
            session.state.note(f"{error} Fit {session.fit_number} was begun anew.")
            fit.epochs, fit.checkpoint, fit.ended = [], None, False
            session.save()
            return False
        done = self._epochs if fit.ended else self._first + len(fit.epochs)
        # What BackupAndRestore sets as well: where the loop over the epochs begins.
        self.model._initial_epoch = done
        return True

    def on_test_begin(self, logs: Any = None) -> None:
        if self._session.request.mirror:
            self._weights = fingerprint(self.model)

    def on_test_end(self, logs: Any = None) -> None:
        self._session.state.validation_images = metrics.images_seen(self.model)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._began = time.monotonic()
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._session.check_stop()
        if self._is_nan:
            self._end_for_nan()
        build_optimizer(self.model)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # Keras does not wait for one before it calls the next.
        self._batches = max(self._batches, batch + 1)
        loss = (logs or {}).get("loss")
        # Keras reports the mean over the epoch: once NaN, always NaN.
        if isinstance(loss, float) and math.isnan(loss):
            self._is_nan = True

    def _end_for_nan(self) -> None:
        number = self._epoch - self._first + 1
        self._session.end(Ending("failed", "nan", NOT_A_NUMBER.format(epoch=number)))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs or {}
        loss = logs.get("loss")
        if loss is not None and math.isnan(float(loss)):
            self._end_for_nan()
        if self._session.state.steps is None:
            # Of data that does not say how many batches it has.
            self._session.state.steps = self._batches
        done = self._record(epoch, logs)
        self._reach(done)
        ended = bool(self.model.stop_training) or epoch + 1 >= self._epochs
        if self._averages is not None:
            self._averages.put_back()
        checkpoint.save(self._checkpoint(done), self.model, self._others)
        self._session.record(done, self._checkpoint(done).name, ended)
        self._forget()
        if done is self._best():
            self.validated = self._weights, done.val_accuracy
            if time.monotonic() - self._kept > KEPT_SECONDS:
                self.keep_best()
        if self._says:
            print(line(done), flush=True)
        self._session.check_stop()

    def _record(self, epoch: int, logs: dict[str, Any]) -> Epoch:
        finite = metrics.numbers(logs)
        name = metrics.accuracy_name(logs)
        validation = finite.get(f"val_{name}")
        if validation is not None:
            self._session.state.objective_name = f"val_{name}"
            self._session.state.classes = metrics.classes(self.model, name)
        return Epoch(
            epoch=epoch - self._first + 1,
            epochs=self._epochs - self._first,
            fit=self._session.fit_number,
            seconds=round(time.monotonic() - self._began, 4),
            logs=finite,
            loss=finite.get("loss"),
            val_loss=finite.get("val_loss"),
            accuracy=finite.get(name) if name else None,
            val_accuracy=validation,
            learning_rate=metrics.learning_rate(self.model),
            time=time.time(),
        )

    def _reach(self, done: Epoch) -> None:
        target = self._session.request.target
        if target is not None and done.val_accuracy is not None and done.val_accuracy >= target:
            self.model.stop_training = True

    def _checkpoint(self, epoch: Epoch) -> Path:
        name = f"{epoch.fit}-{epoch.epoch}{checkpoint.SUFFIX}"
        return self._session.trial.checkpoint / name

    def _best(self) -> Epoch | None:
        fit = self._session.fit
        return fit.best() or (fit.epochs[-1] if fit.epochs else None)

    def _forget(self) -> None:
        """Remove the checkpoints but those to go on from, each fit's last, and this one's best."""
        session, best = self._session, self._best()
        kept = {best and self._checkpoint(best).name, *(x.checkpoint for x in session.state.fits)}
        for path in session.trial.checkpoint.glob(f"*{checkpoint.SUFFIX}"):
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def keep_best(self, look: Callable[[], None] | None = None) -> None:
        """Save the best epoch's model as ``model.keras``, of the script's last ``fit`` so far.

        When the ``fit`` is over, and once a minute at the most before: the checkpoint has all that
        is in it. Where it is gone the trial was complete, and tidied, when it was killed. ``look``
        is called while the model's weights are those of that epoch.
        """
        session, best = self._session, self._best()
        if best is None or session.fit_number < len(session.state.fits):
            return
        path = self._checkpoint(best)
        if not path.exists() and session.trial.model.exists():
            return
        try:
            with checkpoint.put_in_place(path, self.model):
                if self._averages is not None:
                    swap(self.model)
                save_model(self.model, session.trial.model, session)
                if look is not None:
                    look()
        except checkpoint.CheckpointError as error:
            session.state.note(f"{error} So nothing can inherit from epoch {best.epoch}.")
        self._kept = time.monotonic()


def line(done: Epoch) -> str:
    """An epoch for the console, in one line."""
    shown = {
        "loss": done.loss,
        "accuracy": done.accuracy,
        "val_loss": done.val_loss,
        "val_accuracy": done.val_accuracy,
    }
    values = " - ".join(
        f"{name}: {value:.4f}" for name, value in shown.items() if value is not None
    )
    return f"Epoch {done.epoch}/{done.epochs} - {done.seconds:.1f}s - {values}"


def save_model(model: keras.Model, path: Path, session: Session) -> None:
    """Save a model with its optimizer; one that Keras cannot save is noted, and trained on."""
    partial = session.trial.checkpoint / f".{path.name}"
    try:
        model.save(partial)
        os.replace(partial, path)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        session.state.note(f"Keras cannot save this model, so nothing can inherit from it: {error}")
