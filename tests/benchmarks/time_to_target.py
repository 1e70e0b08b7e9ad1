"""How long each tuner takes to a validation accuracy, from the same script on the same images.

    jobs/python tests/benchmarks/time_to_target.py --data /path/to/photographs --seeds 3

Needs RETUNE_REQUIREMENTS="requirements.txt tests/benchmarks/requirements.txt". Runs the arms in
turns, seed by seed, and appends each finished run to ``--results`` at once; started again, it goes
on where it was. ``--table`` prints and draws what is there. A run ends at the highest target, which
gives the times of the lower ones on the way, or after ``--cap`` seconds: then the targets that it
has not reached are ``> cap``. ``--core N`` runs everything on that processor alone, with as many
threads as it has. Validation is always measured on the whole validation set.

Beside the wall time of each run stands the processor time that it took: where other work shares
the machine, that one can still be compared.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks.pictures import cached_arrays  # noqa: E402

RETUNE = ("retune", "no-inheritance", "no-diagnosis", "no-pruning", "no-averaging")
PEERS = (
    *("oracle", "oracle-averaged", "oracle-pooled", "optuna-median", "optuna-hyperband"),
    *("kt-hyperband", "kt-bayes", "random"),
)
POLL_SECONDS = 0.25
Run = dict[str, Any]


class Clock:
    """Processor seconds of a process, its children and what they have waited for, over time."""

    def __init__(self, process: psutil.Process) -> None:
        self.process = process
        self.samples: list[tuple[float, float]] = []

    def sample(self) -> None:
        total = 0.0
        try:
            for each in (self.process, *self.process.children(recursive=True)):
                try:
                    used = each.cpu_times()
                except psutil.Error:
                    continue
                total += used.user + used.system + used.children_user + used.children_system
        except psutil.Error:
            return
        self.samples.append((time.time(), total))

    def at(self, moment: float) -> float:
        """Processor seconds at a moment: those of the sample next to it."""
        return min(self.samples, key=lambda each: abs(each[0] - moment), default=(0.0, 0.0))[1]


def run_arm(arm: str, seed: int, chosen: argparse.Namespace, arrays: Path) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder) / "events.jsonl"
        events.touch()
        module, data = (
            ("peers", ("--arrays", arrays))
            if arm in PEERS
            else (
                "retune",
                ("--data", chosen.data),
            )
        )
        command = [
            *(sys.executable, "-m", f"tests.benchmarks.{module}", arm, *map(str, data)),
            *("--target", str(max(chosen.targets)), "--seed", str(seed), "--events", str(events)),
        ]
        log = chosen.results.with_name(f"{chosen.results.stem}-{arm}-{seed}.log")
        began = time.time()
        with log.open("w") as output:
            process = psutil.Popen(
                command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        clock = Clock(process)
        while process.poll() is None and time.time() - began < chosen.cap:
            clock.sample()
            time.sleep(POLL_SECONDS)
        ended = "cap" if process.poll() is None else "end" if process.returncode == 0 else "error"
        _end(process)
        told = [json.loads(line) for line in events.read_text().splitlines()]
    reached = {}
    for target in chosen.targets:
        first = next((each["time"] for each in told if each["accuracy"] >= target), None)
        if first is not None:
            reached[str(target)] = {
                "seconds": round(first - began, 1),
                "processor": round(clock.at(first), 1),
            }
    return {
        "arm": arm,
        "seed": seed,
        "data": chosen.data.name,
        "date": date.today().isoformat(),
        "commit": commit(),
        "core": chosen.core,
        "cap": chosen.cap,
        "ended": ended,
        "seconds": round(time.time() - began, 1),
        "processor": round(clock.samples[-1][1], 1) if clock.samples else None,
        "trials": len({each["trial"] for each in told}),
        "epochs": len(told),
        "best": round(max((each["accuracy"] for each in told), default=0.0), 4),
        "training": round(sum(each.get("fit_seconds", 0.0) for each in told), 1) or None,
        "reached": reached,
    }


def commit() -> str:
    """What is measured: the commit that is checked out, in seven digits; empty outside of git."""
    done = subprocess.run(
        ["git", "rev-parse", "--short=7", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def _end(process: psutil.Popen) -> None:
    """End a run and all that it has started."""
    try:
        running = [*process.children(recursive=True), process]
    except psutil.Error:
        running = []
    for each in running:
        try:
            each.kill()
        except psutil.Error:
            continue
    process.wait()


def read(results: Path) -> list[Run]:
    if not results.exists():
        return []
    return [json.loads(line) for line in results.read_text().splitlines()]


def times(runs: Iterable[Run], target: float, clock: str) -> list[float]:
    """The seconds of the runs to a target, infinite where a run ended without it."""
    return [each["reached"].get(str(target), {}).get(clock, float("inf")) for each in runs]


def middle(found: Sequence[float], cap: float) -> tuple[float, bool]:
    """The median, or what it is more than, and whether it is more than that.

    ``cap``: what the infinite ones are more than.
    """
    values = sorted(found)
    over = values[len(values) // 2] == float("inf")
    return statistics.median(min(each, cap) if over else each for each in values), over


def shown(found: Sequence[float], cap: float) -> str:
    """Median (lowest to highest); ``>`` where it lies beyond."""
    text = [f"> {cap:.0f}" if value == float("inf") else f"{value:.0f}" for value in found]
    if len(set(text)) == 1:
        return text[0]
    low, high = min(found), max(found)
    ends = [f"> {cap:.0f}" if each == float("inf") else f"{each:.0f}" for each in (low, high)]
    half, over = middle(found, cap)
    return f"{'> ' if over else ''}{half:.0f} ({ends[0]} to {ends[1]})"


def table(runs: list[Run], targets: Sequence[float]) -> None:
    for data in sorted({each["data"] for each in runs}):
        ours = [each for each in runs if each["data"] == data]
        for clock in ("seconds", "processor"):
            name = "wall time" if clock == "seconds" else "processor time"
            print(f"\n{data}, {name} in seconds: median (lowest to highest), × Retune's median\n")
            heads = " | ".join(f"to {target:.2f}" for target in targets)
            print(f"| arm | runs | {heads} | best accuracy | trials |")
            print(f"| --- | --- | {' | '.join('---' for _ in targets)} | --- | --- |")
            for arm in (*RETUNE, *PEERS):
                found = [each for each in ours if each["arm"] == arm]
                if found:
                    print(_row(arm, found, ours, targets, clock))


def _row(arm: str, found: list[Run], ours: list[Run], targets: Sequence[float], clock: str) -> str:
    cells = []
    for target in targets:
        # A run that was ended without the target would have taken longer.
        ended = [each[clock] for each in found if str(target) not in each["reached"]]
        cap = min(ended, default=0.0)
        measured = times(found, target, clock)
        cell = shown(measured, cap)
        base = times([each for each in ours if each["arm"] == "retune"], target, clock)
        if base and arm != "retune":
            half, over = middle(measured, cap)
            least, never = middle(base, 0.0)
            if not never:
                ratio = half / least
                # What it is more than is rounded down.
                cell += f" × > {math.floor(10 * ratio) / 10:.1f}" if over else f" × {ratio:.1f}"
        cells.append(cell)
    best = statistics.median(each["best"] for each in found)
    trials = statistics.median(each["trials"] for each in found)
    return f"| {arm} | {len(found)} | {' | '.join(cells)} | {best:.3f} | {trials:g} |"


def draw(runs: list[Run], targets: Sequence[float], picture: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import NullFormatter

    names = [arm for arm in (*RETUNE, *PEERS) if any(each["arm"] == arm for each in runs)]
    figure, axes = plt.subplots(
        1, len(targets), figsize=(4 * len(targets), 0.4 * len(names) + 1.4), sharey=True
    )
    for axis, target in zip(axes if len(targets) > 1 else [axes], targets, strict=True):
        for row, arm in enumerate(reversed(names)):
            for each in (run for run in runs if run["arm"] == arm):
                seconds = each["reached"].get(str(target), {}).get("seconds")
                colour = "tab:red" if arm == "retune" else "tab:blue"
                if seconds is None:
                    axis.plot(each["seconds"], row, ">", color="lightgrey")
                else:
                    axis.plot(seconds, row, "o", color=colour, alpha=0.7)
        axis.set_title(f"to {target:.2f}")
        axis.set_xlabel("seconds (grey: ended without)")
        axis.set_xscale("log")
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.grid(visible=True, axis="x", alpha=0.3)
    first = axes[0] if len(targets) > 1 else axes
    first.set_yticks(range(len(names)), list(reversed(names)))
    figure.tight_layout()
    figure.savefig(picture, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "cats_dogs")
    parser.add_argument("--size", type=int, default=64, help="pixels of an edge, for the peers")
    parser.add_argument("--arms", nargs="+", choices=(*RETUNE, *PEERS), default=(*RETUNE, *PEERS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--targets", type=float, nargs="+", default=[0.74, 0.77, 0.80])
    parser.add_argument("--cap", type=float, default=3600.0, help="seconds of a run at the most")
    parser.add_argument("--core", type=int, help="the one processor to run on")
    parser.add_argument("--results", type=Path, default=Path("time_to_target.jsonl"))
    parser.add_argument("--table", action="store_true", help="only print and draw")
    chosen = parser.parse_args()
    chosen.results = chosen.results.absolute()
    if not chosen.table:
        if chosen.core is not None:
            os.sched_setaffinity(0, {chosen.core})
        arrays = cached_arrays(chosen.data, chosen.size, chosen.results.parent / "arrays")
        for seed in chosen.seeds:
            for arm in chosen.arms:
                known = [(each["arm"], each["seed"], each["data"]) for each in read(chosen.results)]
                if (arm, seed, chosen.data.name) in known:
                    continue
                found = run_arm(arm, seed, chosen, arrays)
                with chosen.results.open("a") as file:
                    print(json.dumps(found), file=file)
                print(json.dumps(found), flush=True)
    runs = read(chosen.results)
    table(runs, chosen.targets)
    draw(runs, chosen.targets, chosen.results.with_suffix(".png"))


if __name__ == "__main__":
    main()
