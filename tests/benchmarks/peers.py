"""The tuners that Retune is compared with, each in a process of its own.

    python -m tests.benchmarks.peers ARM --arrays FILE --target 0.8 --seed 0 --events FILE

All search the same space (``SPACE``) with trainings of at most 30 epochs, begin with the reference
model's values, and stop at the target. Each finished epoch is a line of the events file.
``random`` and ``kt-bayes``, which end no trial by themselves, get the early stop that KerasTuner's
guide shows. ``oracle`` trains the best single configuration known, ``oracle-averaged`` the same
with averaged weights, ``oracle-pooled`` also normalises as Retune does, behind each pooling.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docker"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from trainer.allocator import keep_memory  # noqa: E402
from trainer.onednn import ask_for_onednn  # noqa: E402

# What makes Retune's trainer quick is theirs as well: here and in main().
keep_memory()
ask_for_onednn()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers  # noqa: E402
from keras.src.legacy.preprocessing.image import ImageDataGenerator  # noqa: E402
from trainer import affine, pipelines  # noqa: E402
from trainer.limits import cpu_share  # noqa: E402

from jobs.source.augmentation import ARGUMENTS  # noqa: E402

EPOCHS, PATIENCE = 30, 5
Values = Mapping[str, Any]
SPACE: dict[str, tuple[Any, ...]] = {
    "blocks": (1, 2, 3, 4, 5),
    "filters": (16, 32, 64),
    "growth": (1, 2),
    "kernel": (3, 5),
    "dense": (64, 128, 256),
    "dropout": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
    "augmentation": ("none", "light", "medium", "strong"),
    "batch_norm": (False, True),
    "batch_size": (16, 32, 64),
    "averaged": (False, True),
}
"""``filters`` of the first block; each further one has ``growth`` times as many, 256 at most."""
RATES = (1e-4, 1e-2)
REFERENCE: Values = {
    "blocks": 2,
    "filters": 32,
    "growth": 1,
    "kernel": 3,
    "dense": 128,
    "dropout": 0.0,
    "augmentation": "none",
    "batch_norm": False,
    "batch_size": 32,
    "averaged": False,
    "rate": 1e-3,
}
ORACLE: Values = {
    "blocks": 5,
    "filters": 16,
    "growth": 2,
    "kernel": 3,
    "dense": 128,
    "dropout": 0.0,
    "augmentation": "medium",
    "batch_norm": True,
    "batch_size": 16,
    "averaged": False,
    "rate": 2.7e-3,
}
AVERAGED: Values = {**ORACLE, "averaged": True}


class TargetReached(BaseException):
    """The run is over. No ``Exception``: KerasTuner takes one for a failed trial and goes on."""


class Work:
    """Data, target and the events file of one run."""

    def __init__(self, arrays: Path, target: float, events: Path, seed: int) -> None:
        found = np.load(arrays)
        self.x, self.x_validation = (
            found[f"x_{split}"].astype("float32") / 255 for split in ("train", "validation")
        )
        self.y, self.y_validation = found["y_train"], found["y_validation"]
        self.classes = int(self.y.max()) + 1
        if self.classes > 2:
            self.y = keras.utils.to_categorical(self.y, self.classes)
            self.y_validation = keras.utils.to_categorical(self.y_validation, self.classes)
        self.target, self.events, self.seed = target, events, seed
        self.trial = -1

    def build(self, values: Values) -> keras.Model:
        model = keras.Sequential([layers.Input(self.x.shape[1:])])
        for block in range(values["blocks"]):
            filters = min(256, values["filters"] * values["growth"] ** block)
            model.add(layers.Conv2D(filters, values["kernel"], activation="relu", padding="same"))
            if values["batch_norm"] is True:
                model.add(layers.BatchNormalization())
            model.add(layers.MaxPooling2D())
            if values["batch_norm"] == "pooled":
                model.add(layers.BatchNormalization(momentum=0.97))
        model.add(layers.Flatten())
        model.add(layers.Dense(values["dense"], activation="relu"))
        if values["dropout"]:
            model.add(layers.Dropout(values["dropout"]))
        two = self.classes == 2
        model.add(layers.Dense(1, "sigmoid") if two else layers.Dense(self.classes, "softmax"))
        model.compile(
            keras.optimizers.Adam(values["rate"], use_ema=values["averaged"]),
            "binary_crossentropy" if two else "categorical_crossentropy",
            metrics=["accuracy"],
        )
        return model

    def fit(
        self, model: keras.Model, values: Values, callbacks: list[Any], **named: Any
    ) -> keras.callbacks.History:
        """Raises TargetReached."""
        self.trial += 1
        generator = ImageDataGenerator(**ARGUMENTS[values["augmentation"]])
        size = values["batch_size"]
        data: dict[str, Any] = (
            {"x": self.x, "y": self.y, "batch_size": size}
            if values["augmentation"] == "none"
            else {"x": generator.flow(self.x, self.y, batch_size=size)}
        )
        # Validation is to measure the averages.
        averages = [keras.callbacks.SwapEMAWeights()] if values["averaged"] else []
        return model.fit(
            **data,
            **{"epochs": EPOCHS, "verbose": 0, **named},
            validation_data=(self.x_validation, self.y_validation),
            callbacks=[*averages, *callbacks, Told(self)],
        )


class Told(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes each epoch down, and ends the run at the target."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.work = work

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        accuracy = float((logs or {})["val_accuracy"])
        line = {"time": time.time(), "trial": self.work.trial, "epoch": epoch + 1}
        with self.work.events.open("a") as file:
            print(json.dumps({**line, "accuracy": accuracy}), file=file)
        if accuracy >= self.work.target:
            raise TargetReached


def early_stop() -> keras.callbacks.EarlyStopping:
    return keras.callbacks.EarlyStopping(monitor="val_loss", patience=PATIENCE)


def run_optuna(work: Work, pruner: str) -> None:
    import optuna

    class Report(keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self, trial: optuna.Trial) -> None:
            super().__init__()
            self.trial = trial

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.trial.report(float((logs or {})["val_accuracy"]), epoch)
            if self.trial.should_prune():
                raise optuna.TrialPruned

    def objective(trial: optuna.Trial) -> float:
        values = {name: trial.suggest_categorical(name, SPACE[name]) for name in ("augmentation",)}
        for name in ("blocks", "filters", "growth", "dense", "kernel", "batch_size"):
            low, high = SPACE[name][0], SPACE[name][-1]
            if name in ("blocks", "growth"):
                values[name] = trial.suggest_int(name, low, high)
            else:
                values[name] = trial.suggest_categorical(name, SPACE[name])
        values["dropout"] = trial.suggest_float("dropout", 0.0, 0.5, step=0.1)
        for name in ("batch_norm", "averaged"):
            values[name] = trial.suggest_categorical(name, [False, True])
        values["rate"] = trial.suggest_float("rate", *RATES, log=True)
        keras.utils.set_random_seed(1000 * work.seed + trial.number)
        callbacks = [early_stop()] if pruner == "none" else []
        fitted = work.fit(work.build(values), values, [*callbacks, Report(trial)])
        return float(max(fitted.history["val_accuracy"]))

    pruners: dict[str, Any] = {
        "median": optuna.pruners.MedianPruner(),
        "hyperband": optuna.pruners.HyperbandPruner(min_resource=1, max_resource=EPOCHS),
        "none": optuna.pruners.NopPruner(),
    }
    random = optuna.samplers.RandomSampler(seed=work.seed)
    tpe = optuna.samplers.TPESampler(seed=work.seed)
    study = optuna.create_study(
        direction="maximize",
        sampler=random if pruner == "none" else tpe,
        pruner=pruners[pruner],
    )
    study.enqueue_trial(dict(REFERENCE))
    study.optimize(objective)


def run_keras_tuner(work: Work, kind: str) -> None:
    import keras_tuner

    class Model(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> keras.Model:
            values = {
                name: hp.Choice(name, list(options), default=REFERENCE[name])
                for name, options in SPACE.items()
                if name not in ("batch_norm", "averaged")
            }
            for name in ("batch_norm", "averaged"):
                values[name] = hp.Boolean(name, default=False)
            values["rate"] = hp.Float("rate", *RATES, sampling="log", default=REFERENCE["rate"])
            return work.build(values)

        def fit(self, hp: Any, model: keras.Model, **named: Any) -> Any:
            callbacks = [*named.pop("callbacks"), *([early_stop()] if kind == "bayes" else [])]
            named.pop("verbose", None)
            return work.fit(model, hp.values, callbacks, **named)

    common = {"objective": "val_accuracy", "seed": work.seed, "overwrite": True}
    keras.utils.set_random_seed(work.seed)
    with tempfile.TemporaryDirectory() as folder:
        if kind == "hyperband":
            tuner = keras_tuner.Hyperband(Model(), max_epochs=EPOCHS, directory=folder, **common)
        else:
            tuner = keras_tuner.BayesianOptimization(
                Model(), max_trials=10**6, directory=folder, **common
            )
        _begin_with_reference(tuner.oracle)
        while True:
            tuner.search(verbose=0)
            if kind == "hyperband":
                # One iteration of Hyperband is over: another one, with the next seed.
                common["seed"] += 1
                tuner = keras_tuner.Hyperband(
                    Model(), max_epochs=EPOCHS, directory=folder, **common
                )


def _begin_with_reference(oracle: Any) -> None:
    """KerasTuner has no way of saying which values to begin with."""
    original = oracle.populate_space
    state = {"first": True}

    def populate_space(trial_id: str) -> Any:
        answer = original(trial_id)
        if state["first"] and answer.get("values"):
            state["first"] = False
            answer["values"] |= dict(REFERENCE)
        return answer

    oracle.populate_space = populate_space


def run_oracle(work: Work, values: Values) -> None:
    while True:
        keras.utils.set_random_seed(1000 * work.seed + work.trial + 1)
        work.fit(work.build(values), values, [], epochs=3 * EPOCHS)


ARMS: dict[str, Any] = {
    "oracle": lambda work: run_oracle(work, ORACLE),
    "oracle-averaged": lambda work: run_oracle(work, AVERAGED),
    "oracle-pooled": lambda work: run_oracle(work, {**AVERAGED, "batch_norm": "pooled"}),
    "optuna-median": lambda work: run_optuna(work, "median"),
    "optuna-hyperband": lambda work: run_optuna(work, "hyperband"),
    "random": lambda work: run_optuna(work, "none"),
    "kt-hyperband": lambda work: run_keras_tuner(work, "hyperband"),
    "kt-bayes": lambda work: run_keras_tuner(work, "bayes"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arm", choices=ARMS)
    parser.add_argument("--arrays", type=Path, required=True)
    parser.add_argument("--events", type=Path, required=True)
    parser.add_argument("--target", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    chosen = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(cpu_share())
    tf.config.threading.set_inter_op_parallelism_threads(cpu_share())
    pipelines.end_at_once()
    affine.share_coordinates()
    try:
        ARMS[chosen.arm](Work(chosen.arrays, chosen.target, chosen.events, chosen.seed))
    except TargetReached:
        # TensorFlow takes seconds to be torn down.
        os._exit(0)


if __name__ == "__main__":
    main()
