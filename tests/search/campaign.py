"""Studies without training: trials as job 3 records them, on curves drawn by hand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from jobs.environment.spool import Epoch, Result
from jobs.search.sampler import RetuneSampler
from jobs.source.ranges import AUGMENTATION

optuna.logging.set_verbosity(optuna.logging.WARNING)

START: dict[str, Any] = {
    "conv1.filters": 32,
    "conv1.kernel_size": 3,
    "conv2.filters": 32,
    "conv2.kernel_size": 3,
    "dense1.units": 128,
    "dropout1.rate": 0.0,
    "optimizer.learning_rate": 1e-3,
    "fit.epochs": 5,
    "fit.batch_size": 32,
    "blocks": 2,
    "batch_norm": False,
    "augmentation": "none",
}
Curves = Sequence[Epoch]


def distribution_of(name: str) -> BaseDistribution:
    if name.endswith((".filters", ".units")):
        return IntDistribution(8, 1024, log=True)
    known: dict[str, BaseDistribution] = {
        "optimizer.learning_rate": FloatDistribution(1e-5, 1e-1, log=True),
        "fit.epochs": IntDistribution(1, 100),
        "fit.batch_size": IntDistribution(1, 256, log=True),
        "blocks": IntDistribution(1, 6),
        "batch_norm": CategoricalDistribution([False, True]),
        "augmentation": CategoricalDistribution(AUGMENTATION),
        "optimizer.name": CategoricalDistribution(["adam", "sgd"]),
        "optimizer.use_ema": CategoricalDistribution([False, True]),
        "optimizer.weight_decay": FloatDistribution(0.0, 0.1),
        "fit.reduce_lr_on_plateau": CategoricalDistribution([False, True]),
    }
    if name.startswith("dropout"):
        return FloatDistribution(0.0, 0.7, step=0.05)
    return known.get(name) or CategoricalDistribution([1, 3, 5, 7])


def epochs(
    train: Sequence[float],
    validation: Sequence[float],
    loss: Sequence[float] | None = None,
    val_loss: Sequence[float] | None = None,
    fit: int = 1,
    seconds: float = 1.0,
) -> list[Epoch]:
    """Epochs with these accuracies; the losses fall with the accuracies where none are given."""
    return [
        Epoch(
            epoch=number + 1,
            epochs=len(train),
            fit=fit,
            seconds=seconds,
            logs={},
            accuracy=train[number],
            val_accuracy=validation[number],
            loss=loss[number] if loss else 1.2 - train[number],
            val_loss=val_loss[number] if val_loss else 1.2 - validation[number],
        )
        for number in range(len(train))
    ]


OVERFIT = epochs([0.6, 0.72, 0.8, 0.88, 0.93, 0.96], [0.6, 0.68, 0.72, 0.71, 0.715, 0.71])
RISING = epochs([0.55, 0.6, 0.65, 0.69, 0.73], [0.54, 0.6, 0.64, 0.68, 0.72])
FALLING_LOSS = epochs(
    [0.773, 0.774, 0.781, 0.787, 0.797, 0.799, 0.804, 0.814],
    [0.763, 0.774, 0.754, 0.788, 0.754, 0.769, 0.786, 0.788],
    val_loss=[0.500, 0.475, 0.478, 0.479, 0.489, 0.456, 0.445, 0.443],
)
"""As measured, with averaged weights: it was not at its end; what was tried instead of training
longer, more filters and larger steps, took eleven epochs."""
UNDERFIT = epochs([0.6, 0.65, 0.66, 0.66, 0.665, 0.66], [0.6, 0.65, 0.655, 0.65, 0.655, 0.65])


class Campaign:
    """A study whose trials are trained by a function from values to epochs, or to a failure."""

    def __init__(
        self,
        train: Callable[[Mapping[str, Any], FrozenTrial], Curves | str],
        start: Mapping[str, Any] = START,
        held: Mapping[str, str] | None = None,
        storage: Any = None,
        buildable: Callable[[int, Mapping[str, Any]], str | None] = lambda parent, tweak: None,
        inherits: bool = True,
        target: float = 0.9,
        seed: int = 0,
        name: str = "main-0000000",
        steps: int | None = None,
        mirroring: float | None = None,
        chance: float = 0.5,
        images: int = 600,
        ended: bool | str = False,
    ) -> None:
        """``ended``: whether trials are ended early, or for what reason."""
        self.ended = ended
        self.train, self.start, self.held = train, dict(start), dict(held or {})
        self.optimizer_steps, self.mirroring = steps, mirroring
        self.sampler = RetuneSampler(
            target=target,
            buildable=buildable,
            chance=chance,
            validation_images=images,
            inherits=inherits,
            seed=seed,
        )
        self.study = optuna.create_study(
            study_name=name, storage=storage, direction="maximize", sampler=self.sampler
        )

    def step(self) -> FrozenTrial:
        trial = self.study.ask()
        storage, identifier = self.study._storage, trial._trial_id
        frozen = storage.get_trial(identifier)
        values = dict(self.start)
        if trial.number:
            proposal = self.sampler.proposal(self.study, frozen)
            parent = self.study.get_trials(deepcopy=False)[proposal.parent]
            values = {**parent.params, **proposal.tweak}
            for key, value in asdict(proposal).items():
                trial.set_user_attr(key, value)
        for name, value in values.items():
            known = distribution_of(name)
            storage.set_trial_param(identifier, name, known.to_internal_repr(value), known)
        trial.set_user_attr("held", self.held)
        curves = self.train(values, storage.get_trial(identifier))
        if isinstance(curves, str):
            trial.set_user_attr("result", asdict(Result("failed", failure=curves)))  # type: ignore[arg-type]
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            best = max(each.val_accuracy or 0.0 for each in curves)
            result = Result(
                "complete",
                objective=best,
                seconds_in_fit=float(len(curves)),
                steps=self.optimizer_steps,
                reason=self.ended if isinstance(self.ended, str) else None,
                mirroring=self.mirroring if values.get("augmentation") == "none" else None,
            )
            trial.set_user_attr("curves", [asdict(each) for each in curves])
            trial.set_user_attr("result", asdict(result))
            for each in curves:
                trial.report(each.val_accuracy or 0.0, each.epoch)
            if self.ended:
                self.study.tell(trial, state=TrialState.PRUNED)
            else:
                self.study.tell(trial, best)
        return self.study.get_trials(deepcopy=False)[trial.number]

    def steps(self, number: int) -> list[FrozenTrial]:
        return [self.step() for _ in range(number)]
