"""The embedded scheduler: a detached process a study runs its chain of jobs to the end."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from jobs.scheduler.base import Next, Push

RUNNER_LOCK, RUNNER_PID, RUNNER_LOG = ".runner", ".runner.pid", "run.log"


class InlineScheduler:
    """Starts ``python -m jobs run …`` and leaves it alone; settings travel in the environment.

    ``home``: the home folder. ``python``: the interpreter that has Retune's requirements.
    ``root``: the folder that holds the package ``jobs``.
    """

    def __init__(self, home: Path, python: str, root: Path) -> None:
        self.home, self.python, self.root = home, python, root

    def trigger(self, step: Next) -> None:
        folder = self._folder(step.study)
        folder.mkdir(parents=True, exist_ok=True)
        arguments = ["--study", step.study, "--trial", str(step.trial), "--job", step.job]
        self._start(arguments, folder / RUNNER_LOG)

    def receive(self, push: Push) -> None:
        arguments = ["--branch", push.branch, "--commit", push.commit]
        self._start(arguments, self.home / RUNNER_LOG)

    def busy(self, study: str) -> bool:
        try:
            with FileLock(self._folder(study) / RUNNER_LOCK, timeout=0):
                return False
        except Timeout:
            return True
        except FileNotFoundError:
            return False

    def stop(self, study: str) -> None:
        if not self.busy(study):
            return
        try:
            pid = int((self._folder(study) / RUNNER_PID).read_text())
            if pid != os.getpid():
                os.kill(pid, signal.SIGTERM)
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return

    def stopped_by_hand(self, study: str) -> bool:  # noqa: ARG002
        """A runner that is interrupted pauses its study itself."""
        return False

    @contextmanager
    def running(self, study: str) -> Iterator[bool]:
        """Hold the study while its chain runs here; gives False where another process does."""
        folder = self._folder(study)
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / RUNNER_LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            (folder / RUNNER_PID).write_text(str(os.getpid()))
            yield True
        finally:
            lock.release()

    def _folder(self, study: str) -> Path:
        return self.home / "studies" / study

    def _start(self, arguments: list[str], log: Path) -> None:
        path = os.pathsep.join(filter(None, [str(self.root), os.environ.get("PYTHONPATH")]))
        with log.open("ab") as output:
            subprocess.Popen(
                [self.python, "-m", "jobs", "run", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": path},
            )
