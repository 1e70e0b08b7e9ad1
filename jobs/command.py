"""One job as a command: ``python -m jobs.<name>``; how Jenkins is told what came out."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from jobs import settings
from jobs.context import Context, make_context
from jobs.display import DONE, ERROR, STOPPED, Display, display
from jobs.errors import RetuneError
from jobs.pause import pause
from jobs.scheduler.base import JobName, Next, Push
from jobs.stage import noting_errors
from jobs.study import storage_errors

_GIT = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_QUARANTINE_PATH", "GIT_OBJECT_DIRECTORY")


class Interrupted(KeyboardInterrupt):
    """Somebody ended this process: a signal came."""


def prepare() -> None:
    """Forget the repository of a hook that started this process; end by signal in order."""
    for name in (*_GIT, "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_PREFIX"):
        os.environ.pop(name, None)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]

    def interrupt(number: int, _: FrameType | None) -> None:
        raise Interrupted(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupt)


@contextmanager
def one_sentence() -> Iterator[None]:
    """End with the sentence of a RetuneError and status 1, without a traceback."""
    try:
        with storage_errors():
            yield
    except RetuneError as error:
        print(f"Retune: {error}", file=sys.stderr)
        _show(Display("", str(error), ERROR))
        raise SystemExit(ERROR) from error
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(ERROR) from None


def main(job: JobName) -> NoReturn:
    """Run one job by its command line and exit with what came out of it."""
    arguments = _parse(job)
    prepare()
    with one_sentence():
        sys.exit(_run(job, arguments))


def _parse(job: JobName) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m jobs.{job}")
    if job != "watch":
        parser.add_argument("--study", help="name of the study")
        parser.add_argument("--trial", type=int, default=0, help="number of the trial, from 0")
    if job == "pull":
        parser.add_argument("--branch", help="a pushed branch, to start a study")
        parser.add_argument("--commit", help="its commit, all 40 digits")
    arguments = parser.parse_args()
    if job == "pull" and not arguments.study and not (arguments.branch and arguments.commit):
        parser.error("--study and --trial, or --branch and --commit are needed")
    elif job not in ("pull", "watch") and not arguments.study:
        parser.error("--study is needed")
    return arguments


def _run(job: JobName, arguments: argparse.Namespace) -> int:
    from jobs import chain, pull, watch  # each of them is a command that imports this module

    context = make_context(settings.load())
    if job == "watch":
        watch.run(context)
        return DONE
    step: Callable[[], Next | None]
    if job == "pull" and not arguments.study:
        push = Push(arguments.branch, arguments.commit)
        study, trial = pull.study_name(push.branch, push.commit), 0
        step = lambda: pull.receive(context, push)  # noqa: E731
    else:
        study, trial = arguments.study, arguments.trial
        step = lambda: chain.RUN[job](context, study, trial)  # noqa: E731
    try:
        with noting_errors(context, study):
            following = step()
    except Interrupted:
        pause(context, study)
        return STOPPED
    _tell(following)
    return _describe(context, job, study, trial)


def _tell(step: Next | None) -> None:
    """Leave the next job for the Jenkinsfile, which triggers it natively."""
    file = os.environ.get("RETUNE_NEXT")
    if file and step is not None:
        Path(file).write_text(f"job={step.job}\nstudy={step.study}\ntrial={step.trial}\n")
    elif file:
        Path(file).write_text("")


def _describe(context: Context, job: JobName, name: str, trial: int) -> int:
    """Name and describe the build; gives the exit code."""
    if name not in context.record.names():
        return DONE
    shown = display(context.record.open(name).view(), job, trial)
    _show(shown)
    return shown.status


def _show(shown: Display) -> None:
    """Leave name and description of the build for the Jenkinsfile."""
    if file := os.environ.get("RETUNE_DISPLAY"):
        Path(file).write_text(f"{shown.name}\n{shown.description}\n", encoding="utf-8")
