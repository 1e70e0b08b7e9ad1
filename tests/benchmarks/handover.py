"""Seconds between the end of one trial's training and the next trial's first training step.

    jobs/python tests/benchmarks/handover.py [--environment process|docker] [--trials 6]
                                             [--images 200]

Runs a real study with the inline scheduler on drawn pictures; the environment is warm from the
second trial on. Prints a line a hand-over, then the median, and the share of the wall time from
the first epoch to the last one that is training, with how long a training took: by the epochs
alone, and by the time inside of ``fit``, where Keras prepares its steps as well, weights are
inherited, and checkpoints and the model are written. ``--images`` makes trainings longer: some 900
to 1,500 of them for 20 seconds on two cores. Beside it stands how long the environment takes from a
request to the first line of the script (looking for the request, fork, links, shims).
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from jobs import settings  # noqa: E402
from jobs.chain import run_push  # noqa: E402
from jobs.context import make_context  # noqa: E402
from jobs.scheduler.base import Push  # noqa: E402
from jobs.study import StudyView  # noqa: E402

STARTED = "started.txt"
FIRST_LINE = f"import time; open({STARTED!r}, 'w').write(str(time.time()))\n"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.com"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def run_study(
    place: Path, environment: str, trials: int, images: int
) -> tuple[StudyView, list[float]]:
    """The study, and of each trial the seconds from its request to the script's first line."""
    counts = ("--train", str(images), "--validation", str(images * 2 // 5), "--test", "0")
    subprocess.run(
        [sys.executable, "-m", "model.faces", str(place / "datasets" / "faces"), *counts],
        cwd=ROOT,
        check=True,
    )
    git(place, "init", "--quiet", "--bare", "--initial-branch=main", "remote.git")
    git(place, "clone", "--quiet", "remote.git", "clone")
    clone = place / "clone"
    (clone / "cnn.py").write_text(FIRST_LINE + (ROOT / "model" / "cnn.py").read_text())
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", "Add a model")
    git(clone, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    for name in [each for each in os.environ if each.startswith("RETUNE_")]:
        if name != "RETUNE_IMAGE":
            del os.environ[name]
    operator = settings.load(
        home=place / "home",
        repository=str(place / "remote.git"),
        datasets=place / "datasets",
        environment=environment,
        trials=trials,
        target=1.0,
    )
    context = make_context(operator)
    push = Push("main", git(clone, "rev-parse", "HEAD"))
    run_push(context, push)
    studies = context.record.studies()
    starts = []
    for each in sorted(operator.studies.glob(f"*/trials/*/work/**/{STARTED}")):
        trial = next(folder for folder in each.parents if folder.parent.name == "trials")
        asked = (trial / "request.json").stat().st_mtime
        starts.append(float(each.read_text()) - asked)
    return studies[-1].view(), starts


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--environment", choices=("process", "docker"), default="process")
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--images", type=int, default=200)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="retune-benchmark-") as folder:
        view, starts = run_study(
            Path(folder), arguments.environment, arguments.trials, arguments.images
        )
    gaps = []
    trials = [each for each in view.trials if each.epochs]
    print(f"\n{'trials':>8}  {'seconds between the trainings':>30}")
    for before, after in itertools.pairwise(trials):
        first = after.epochs[0]
        gaps.append(first.time - first.seconds - before.epochs[-1].time)
        print(f"{before.number:>3} → {after.number:<3} {gaps[-1]:>30.2f}")
    training = sum(epoch.seconds for each in trials for epoch in each.epochs)
    wall = trials[-1].epochs[-1].time - trials[0].epochs[0].time + trials[0].epochs[0].seconds
    print(f"median {statistics.median(gaps):.2f} s, longest {max(gaps):.2f} s")
    print(
        f"from the request to the first line of the script: median "
        f"{1000 * statistics.median(starts):.0f} ms, with the environment's own start "
        f"{max(starts):.1f} s"
    )
    # From one end of training to another: what is behind the last epoch of the first ``fit``
    # stands for what is behind that of the last.
    inside = sum(each.result.seconds_in_fit for each in trials[1:] if each.result is not None)
    between_ends = trials[-1].epochs[-1].time - trials[0].epochs[-1].time
    print(
        f"share of wall time that is training: {training / wall:.1%}, "
        f"inside of fit {inside / between_ends:.1%}, "
        f"with {training / len(trials):.1f} s of training a trial"
    )


if __name__ == "__main__":
    main()
