"""The whole loop on one machine, from a commit to the mail, with nothing prepared."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from jobs import hooks, settings
from jobs.dataset.layout import read_layout
from jobs.errors import RetuneError
from jobs.repository import best_branch
from jobs.scheduler.inline import RUNNER_LOG
from jobs.settings import PREFIX, Settings
from jobs.study import Record, Study, StudyView, TrialView

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "model" / "cnn.py"
REFRESH_SECONDS, START_SECONDS = 0.5, 120.0


def demo(
    *,
    environment: str,
    data: Path | None,
    target: float | None,
    trials: int,
    folder: Path | None,
) -> int:
    """Push the reference model and follow what happens; gives the exit status.

    Raises RetuneError where the folder or the data cannot be used, or where nothing starts.
    """
    console = Console(highlight=False)
    place = _place(folder)
    console.print(f"Retune's demo, in [bold]{escape(str(place))}[/]")
    _provide_data(console, place / "datasets", data)
    operator = _operator_settings(place, environment, target, trials)
    _pushreference_script(console, place, reference_script(place / "datasets"))
    study = _started(Record(operator.storage_url), place / "home" / RUNNER_LOG)
    view = _follow(console, study)
    _say_what_came_out(console, place, operator, study)
    return 0 if view.outcome == "reached" else 1


def _place(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="retune-demo-"))
    folder = folder.absolute()
    if folder.exists() and any(folder.iterdir()):
        raise RetuneError(f"The folder {folder} is not empty; name a new one.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _provide_data(console: Console, offered: Path, data: Path | None) -> None:
    offered.mkdir()
    if data is not None:
        if not data.is_dir():
            raise RetuneError(f"There is no folder {data}; DATA takes a folder of class folders.")
        (offered / "data").symlink_to(data.resolve())
        return
    with console.status("Drawing cats' and dogs' faces ..."):
        drawn = subprocess.run(
            [sys.executable, "-m", "model.faces", str(offered / "faces")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    if drawn.returncode:
        raise RetuneError(f"The faces cannot be drawn: {drawn.stderr.strip()[-500:]}")
    count = sum(1 for each in (offered / "faces").rglob("*.*") if each.is_file())
    console.print(f"{count} pictures of cats' and dogs' faces drawn.")


def _operator_settings(
    place: Path, environment: str, target: float | None, trials: int
) -> Settings:
    """The settings of this demo alone, left in the environment for the hooks and the jobs."""
    for name in [each for each in os.environ if each.startswith(PREFIX)]:
        if name not in ("RETUNE_IMAGE", "RETUNE_ENVIRONMENTS"):
            del os.environ[name]
    home = place / "home"
    home.mkdir()
    os.environ |= {
        "RETUNE_HOME": str(home),
        "RETUNE_REPOSITORY": str(place / "remote.git"),
        "RETUNE_DATASETS": str(place / "datasets"),
        "RETUNE_SCHEDULER": "inline",
        "RETUNE_ENVIRONMENT": environment,
        "RETUNE_TRIALS": str(trials),
        "RETUNE_MAIL_TO": "you@example.com",
        "RETUNE_PYTHON": sys.executable,
    }
    if target is not None:
        os.environ["RETUNE_TARGET"] = str(target)
    return settings.load()


def reference_script(offered: Path) -> str:
    """The reference script, with as many outputs as the data set has classes."""
    text = REFERENCE.read_text(encoding="utf-8")
    (root,) = offered.iterdir()
    classes = read_layout(root).classes
    if len(classes) == 2:
        return text
    if len(classes) < 2:
        raise RetuneError(
            f"{root.resolve()} has no class folders; DATA takes a folder with a folder of images "
            "for each class, or with such folders in train, validation and test."
        )
    for two, many in (
        ("Cats or dogs? A", "A"),
        ('class_mode="binary"', 'class_mode="categorical"'),
        (
            'Dense(units=1, activation="sigmoid")',
            f'Dense(units={len(classes)}, activation="softmax")',
        ),
        ('loss="binary_crossentropy"', 'loss="categorical_crossentropy"'),
    ):
        if two not in text:
            raise AssertionError(f"{REFERENCE} does not say {two} any more")
        text = text.replace(two, many)
    return text


def _pushreference_script(console: Console, place: Path, script: str) -> None:
    """A bare remote and a clone, both with the project's hooks; one commit does the rest."""
    remote, clone = place / "remote.git", place / "clone"
    _git(place, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    _git(place, "clone", "--quiet", str(remote), str(clone))
    _git(clone, "checkout", "--quiet", "-B", "main")
    hooks.install(remote)
    hooks.install(clone)
    (clone / REFERENCE.name).write_text(script, encoding="utf-8")
    _git(clone, "add", "--all")
    console.print(f"Committing {REFERENCE.name}; the hooks push it and start the study ...")
    identity = ["-c", "user.name=Demo", "-c", "user.email=demo@example.com"]
    _git(clone, *identity, "commit", "--quiet", "--message", "Add an image classifier")


def _git(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RetuneError(f"git {arguments[0]} failed: {done.stderr.strip()[-500:]}")


def _started(record: Record, log: Path) -> Study:
    """The study that the push starts, once it is there."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if studies := record.studies():
            return studies[-1]
        time.sleep(REFRESH_SECONDS)
    said = log.read_text(errors="replace")[-1000:] if log.exists() else "nothing"
    raise RetuneError(f"The push started no study. {log} says: {said}")


def _follow(console: Console, study: Study) -> StudyView:
    """Show the trials until the study's end is complete."""
    view = study.view()
    told = 0
    with Live(_table(view), console=console, auto_refresh=False, transient=False) as live:
        while not study.get("closed"):
            time.sleep(REFRESH_SECONDS)
            view = study.view()
            if console.is_terminal:
                live.update(_table(view), refresh=True)
                continue
            finished = [each for each in view.trials if each.state != "running"]
            for each in finished[told:]:
                console.print(_line(each))
            told = len(finished)
        live.update(_table(study.view()), refresh=True)
    return study.view()


def _line(trial: TrialView) -> str:
    accuracy = "no accuracy" if trial.objective is None else f"{trial.objective:.3f}"
    return f"trial {trial.number}: {accuracy} after {trial.seconds:.0f} s ({escape(trial.words)})"


def _table(view: StudyView) -> Table:
    table = Table(
        title=f"Study {view.name}: validation accuracy {view.target:g} wanted",
        title_justify="left",
        expand=False,
    )
    for name, justify in (("trial", "right"), ("from", "right"), ("tweak", "left")):
        table.add_column(name, justify=justify, max_width=60)  # type: ignore[arg-type]
    for name in ("epoch", "accuracy", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    best = view.best
    for each in view.trials:
        last = each.epochs[-1] if each.epochs else None
        accuracy = each.objective
        if accuracy is None:
            accuracy = max((e.val_accuracy for e in each.epochs if e.val_accuracy), default=None)
        style = "bold green" if accuracy is not None and accuracy >= view.target else ""
        mark = " ◂" if best is not None and best.number == each.number else ""
        shown = (
            "failed" if each.state == "failed" else "" if accuracy is None else f"{accuracy:.3f}"
        )
        table.add_row(
            str(each.number),
            "" if each.parent is None else str(each.parent),
            Text(each.words),
            f"{last.epoch}/{last.epochs}" if last else "",
            Text(shown + mark, style=style),
            f"{each.seconds:.0f} s",
        )
    return table


def _say_what_came_out(console: Console, place: Path, operator: Settings, study: Study) -> None:
    view = study.view()
    graph = subprocess.run(
        ["git", "log", "--graph", "--oneline", "--decorate", "--branches"],
        cwd=place / "remote.git",
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    console.print()
    console.print(Text(graph), soft_wrap=True)
    console.print(Text(view.reason), style="bold")
    rows: Mapping[str, object] = {
        "page": operator.studies / study.name / "report" / "report.html",
        "mail": next(iter(sorted(operator.outbox.glob("*.eml"))), "none"),
        "branch": best_branch(study.name) if view.outcome == "reached" else "none",
        "repository": place / "clone",
        "log": operator.home / RUNNER_LOG,
        "time": f"{view.seconds:.0f} s",
    }
    for name, value in rows.items():
        console.print(Text(f"{name:>10}  {value}"), soft_wrap=True)
