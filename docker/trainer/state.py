"""What is known of a trial so far, kept in ``checkpoint/state.json`` so that no kill can lose it.

An epoch has happened once the state that lists it has been renamed into place. Before that its
checkpoint is written, after it ``progress.jsonl`` is made anew from the state: whatever moment a
trainer is killed at, each finished epoch is in the record once, and the others are not.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from trainer.spool import Epoch, Result, Trial, write_whole

STATE, CLOCK = "state.json", "clock"


@dataclass
class Fit:
    """One call of ``fit``: its finished epochs and the checkpoint after the last of them.

    ``ended``: the training was over after that epoch, by its plan, by a callback or at the target.
    """

    epochs: list[Epoch] = field(default_factory=list)
    checkpoint: str | None = None
    ended: bool = False

    def best(self) -> Epoch | None:
        """The first epoch with the highest validation accuracy."""
        measured = [each for each in self.epochs if each.val_accuracy is not None]
        return max(measured, key=lambda each: each.val_accuracy or 0.0, default=None)


@dataclass
class State:
    """The record of a trial. Seconds are wall time over all its runs.

    ``seconds`` is the age of the trial when the state was written; ``inside_fit`` says whether a
    ``fit`` was running then, to which the time up to a kill is counted.
    """

    fits: list[Fit] = field(default_factory=list)
    runs: int = 0
    seconds: float = 0.0
    seconds_in_fit: float = 0.0
    inside_fit: bool = False
    objective_name: str | None = None
    test_accuracy: float | None = None
    parameters: int | None = None
    steps: int | None = None
    classes: int | None = None
    validation_images: int | None = None
    mirroring: float | None = None
    inheriting_fit: int | None = None
    inherited: float | None = None
    inheritance: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, trial: Trial) -> "State":
        """The state of a trial; a new one where there is none, or none that can be read."""
        try:
            content = json.loads((trial.checkpoint / STATE).read_text(encoding="utf-8"))
            fits = [
                Fit(**each | {"epochs": [Epoch.from_mapping(epoch) for epoch in each["epochs"]]})
                for each in content.pop("fits")
            ]
            return cls(fits=fits, **content)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return cls()

    def write(self, trial: Trial) -> None:
        write_whole(trial.checkpoint / STATE, json.dumps(asdict(self)))

    def epochs(self) -> list[Epoch]:
        return [epoch for fit in self.fits for epoch in fit.epochs]

    def note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)

    def count_lost_time(self, age: float) -> None:
        """Count the time between the last state and a kill, at which the trial was ``age`` old."""
        lost = max(0.0, age - self.seconds)
        self.seconds += lost
        if self.inside_fit:
            self.seconds_in_fit += lost

    def result(self, outcome: str, failure: str | None, reason: str | None) -> Result:
        """The objective is that of the last ``fit`` that has finished an epoch."""
        trained = [fit for fit in self.fits if fit.epochs]
        best = trained[-1].best() if trained else None
        loss: float | None = None
        if best is not None:
            loss = best.val_loss if best.val_loss is not None else best.loss
        return Result(
            outcome=outcome,
            failure=failure,
            reason=reason,
            objective=best.val_accuracy if best else None,
            objective_name=self.objective_name if best else None,
            best_epoch=best.epoch if best else None,
            loss=loss,
            test_accuracy=self.test_accuracy,
            epochs=len(trained[-1].epochs) if trained else 0,
            parameters=self.parameters,
            steps=self.steps,
            classes=self.classes,
            validation_images=self.validation_images,
            mirroring=self.mirroring,
            inherited=self.inherited,
            inheritance=self.inheritance,
            seconds_in_fit=round(self.seconds_in_fit, 3),
            seconds_outside_fit=round(max(0.0, self.seconds - self.seconds_in_fit), 3),
            notes=self.notes,
            versions=self.versions,
            resumes=max(0, self.runs - 1),
        )


def read_age(trial: Trial) -> float:
    """How old the trial was at the server's last look, seconds over all its runs."""
    try:
        return max(0.0, float((trial.checkpoint / CLOCK).read_text()))
    except (OSError, ValueError):
        return 0.0


def write_age(trial: Trial, seconds: float) -> None:
    write_whole(trial.checkpoint / CLOCK, f"{seconds:.3f}\n")


def as_number(value: Any) -> float | None:
    """A finite float of a metric's value; None for NaN, infinity and what is no number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if number - number == 0.0 else None
