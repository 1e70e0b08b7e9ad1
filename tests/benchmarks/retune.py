"""Retune from push to target, inline and with trials in a child process, as one arm of a benchmark.

    python -m tests.benchmarks.retune ARM --data DIR --target 0.8 --seed 0 --events FILE

``retune`` is Retune as a user gets it: the reference script is pushed to a bare remote, the jobs
run one after the other, tweaks are rewritten in the source. The other arms leave a part out.
Each finished epoch is a line of the events file, taken from the trials' ``progress.jsonl``.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from jobs import foresight, settings, train
from jobs.chain import run_push
from jobs.context import make_context
from jobs.demo import reference_script
from jobs.scheduler.base import Push
from jobs.search.answers import ANSWERS, Candidate, candidates
from jobs.search.diagnosis import Diagnosis
from jobs.search.history import History, values
from jobs.search.pruner import RetunePruner
from jobs.search.sampler import RetuneSampler

ARMS = ("retune", "no-inheritance", "no-diagnosis", "no-pruning", "no-averaging")
WISHES = {
    "no-inheritance": "inherit = false\n",
    "no-averaging": 'hold = ["optimizer.use_ema"]\n',
}
LOOK_SECONDS = 0.2


class Undiagnosed(RetuneSampler):
    """The same tweaks of the same parents, whichever comes: the curves are not looked at."""

    def _ranked(
        self, parent: FrozenTrial, history: History, rng: random.Random, runs: bool
    ) -> list[tuple[Diagnosis, Candidate]]:
        model = self._model(values(parent), parent, history, runs=runs)
        makers = list({each[0]: each for answers in ANSWERS.values() for each in answers}.values())
        found = list(candidates(makers, model))
        rng.shuffle(found)
        return [(Diagnosis("noise", "Not looked at."), each) for each in found]


class Unpruned(RetunePruner):
    def reason(self, study: Any, trial: FrozenTrial) -> None:
        """Every trial trains to its end."""


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.com"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def push_script(place: Path, wishes: str, message: str) -> str:
    """A remote with the reference script and ``retune.toml``; gives the commit."""
    git(place, "init", "--quiet", "--bare", "--initial-branch=main", "remote.git")
    git(place, "clone", "--quiet", "remote.git", "clone")
    clone = place / "clone"
    (clone / "cnn.py").write_text(reference_script(place / "datasets"))
    (clone / "retune.toml").write_text(wishes)
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", message)
    git(clone, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    return git(clone, "rev-parse", "HEAD")


class Teller(threading.Thread):
    """Copies finished epochs from the spool to the events file while the study runs."""

    def __init__(self, studies: Path, events: Path) -> None:
        super().__init__(daemon=True)
        self.studies, self.events = studies, events
        self.over = threading.Event()
        self._told: dict[Path, int] = {}

    def run(self) -> None:
        while not self.over.wait(LOOK_SECONDS):
            self.tell()

    def tell(self) -> None:
        for path in sorted(self.studies.glob("*/trials/*/progress.jsonl")):
            lines = path.read_text().splitlines()
            for line in lines[self._told.get(path, 0) :]:
                epoch: dict[str, Any] = json.loads(line)
                found = {
                    "time": epoch["time"],
                    "trial": int(path.parent.name),
                    "epoch": epoch["epoch"],
                    "accuracy": epoch["val_accuracy"],
                    "fit_seconds": epoch["seconds"],
                }
                with self.events.open("a") as file:
                    print(json.dumps(found), file=file)
            self._told[path] = len(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arm", choices=ARMS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--events", type=Path, required=True)
    parser.add_argument("--target", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    chosen = parser.parse_args()
    if chosen.arm == "no-pruning":
        train.RetunePruner = Unpruned  # type: ignore[misc]
    if chosen.arm == "no-diagnosis":
        foresight.RetuneSampler = Undiagnosed  # type: ignore[misc]
    for name in [each for each in os.environ if each.startswith("RETUNE_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="retune-benchmark-") as folder:
        place = Path(folder)
        (place / "datasets").mkdir()
        (place / "datasets" / "images").symlink_to(chosen.data.resolve())
        commit = push_script(place, WISHES.get(chosen.arm, ""), f"Add a model, run {chosen.seed}")
        operator = settings.load(
            home=place / "home",
            repository=str(place / "remote.git"),
            datasets=place / "datasets",
            trials=1000,
            target=chosen.target,
        )
        context = make_context(operator)
        teller = Teller(operator.studies, chosen.events)
        teller.start()
        try:
            run_push(context, Push("main", commit))
        finally:
            teller.over.set()
            teller.join()
            teller.tell()
        for study in context.record.studies():
            context.environment.remove(study.name)


if __name__ == "__main__":
    sys.exit(main())
