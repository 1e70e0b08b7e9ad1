"""How long a proposal takes as the study grows:  python -m tests.benchmarks.sampler

Prints, for studies of 10, 100 and 1,000 trials in SQLite, the milliseconds of a proposal in a new
process' state (reading the storage included) and of a repeated one (storage already read).
"""

import random
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial

from jobs.environment.spool import Epoch, Result
from jobs.search.sampler import RetuneSampler
from jobs.source.script import Value

SPACE: dict[str, BaseDistribution] = {
    "conv1.filters": IntDistribution(8, 512, log=True),
    "conv2.filters": IntDistribution(8, 512, log=True),
    "conv1.kernel_size": CategoricalDistribution([1, 3, 5, 7]),
    "dense1.units": IntDistribution(16, 1024, log=True),
    "dropout1.rate": FloatDistribution(0.0, 0.7, step=0.05),
    "optimizer.learning_rate": FloatDistribution(1e-5, 1e-1, log=True),
    "fit.epochs": IntDistribution(1, 100),
    "fit.batch_size": IntDistribution(8, 256, log=True),
    "blocks": IntDistribution(1, 5),
    "batch_norm": CategoricalDistribution([False, True]),
    "augmentation": CategoricalDistribution(["none", "light", "medium", "strong"]),
}
REPEATS = 5


def value(name: str, rng: random.Random) -> Any:
    each = SPACE[name]
    if isinstance(each, CategoricalDistribution):
        return rng.choice(each.choices)
    if isinstance(each, IntDistribution):
        return rng.randint(each.low, each.high)
    return round(rng.randint(0, 14) * 0.05, 2) if "dropout" in name else rng.uniform(1e-4, 1e-2)


def filled(url: str, trials: int) -> None:
    rng = random.Random(trials)
    study = optuna.create_study(study_name="b", storage=url, direction="maximize")
    for number in range(trials):
        best = rng.uniform(0.5, 0.79)
        curve = [
            Epoch(i + 1, 10, 1, 2.0, {}, 0.5, 0.6, best - 0.02 * (9 - i), best - 0.01 * (9 - i))
            for i in range(10)
        ]
        params = {name: value(name, rng) for name in SPACE}
        study.add_trial(
            create_trial(
                state=TrialState.COMPLETE,
                value=best,
                params=params,
                distributions=SPACE,
                intermediate_values={e.epoch: e.val_accuracy or 0.0 for e in curve},
                user_attrs={
                    "parent": rng.randrange(number) if number else None,
                    "tweak": {"fit.epochs": 8},
                    "kind": rng.choice(["longer", "deeper", "wider", "regularise"]),
                    "curves": [asdict(e) for e in curve],
                    "result": asdict(Result("complete", objective=best, seconds_in_fit=20.0)),
                },
            )
        )


def milliseconds(study: optuna.Study, sampler: RetuneSampler) -> float:
    identifier = study._storage.create_new_trial(study._study_id)
    frozen = study._storage.get_trial(identifier)
    before = time.perf_counter()
    sampler.before_trial(study, frozen)
    after = time.perf_counter()
    study._storage.set_trial_state_values(identifier, TrialState.FAIL)
    return 1000 * (after - before)


def anything(parent: int, tweak: Mapping[str, Value]) -> str | None:
    return None


def filters_only(parent: int, tweak: Mapping[str, Value]) -> str | None:
    """Refuses what the rules answer, so that TPE has to."""
    return None if "conv1.filters" in tweak else "held"


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(f"{'trials':>7} {'case':>8} {'storage unread':>15} {'storage read':>13}")
    for trials in (10, 100, 1000):
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/b.db"
            filled(url, trials)
            for case, buildable in (("rules", anything), ("TPE", filters_only)):
                cold, warm = [], []
                for _ in range(REPEATS):
                    sampler = RetuneSampler(target=0.8, buildable=buildable, validation_images=600)
                    study = optuna.load_study(
                        study_name="b", storage=RDBStorage(url), sampler=sampler
                    )
                    cold.append(milliseconds(study, sampler))
                    warm.append(milliseconds(study, sampler))
                print(
                    f"{trials:>7} {case:>8} {statistics.median(cold):>12.0f} ms"
                    f" {statistics.median(warm):>10.0f} ms",
                    flush=True,
                )


if __name__ == "__main__":
    main()
