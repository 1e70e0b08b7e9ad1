"""Trials in a child process: the embedded default, for scripts that one trusts.

It keeps scripts from the operator's secrets in environment variables and from using up the
memory; it does not isolate them as a container does. ``absolute`` of a specification and the
limits of processes and shared memory have no meaning here.
"""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import psutil

from jobs.environment.base import Condition, Specification, State
from jobs.environment.heartbeat import Patience, forget_heartbeat, judge_heartbeat
from jobs.environment.specification import LOG, fingerprint, locked, log_tail, prepare
from jobs.environment.spool import forget_images, write_whole
from jobs.errors import RetuneError

TRAINER_PATH = Path(__file__).resolve().parents[2] / "docker"

_FOLDER, _FILE = "environment", "process.json"

# What a trainer may know of the operator's environment. All else may be a secret, or (BUILD_ID,
# JENKINS_NODE_COOKIE) would have Jenkins end the trainer together with the build that started it.
_PASSED = frozenset(
    {
        *("PATH", "LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
        *("CUDA_HOME", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "XLA_FLAGS"),
        *("OMP_NUM_THREADS", "KERAS_BACKEND"),
    }
)
_PASSED_PREFIXES = ("LC_", "TF_")


@dataclass(frozen=True)
class _Started:
    """What is written down of a process, so that any later job finds this one and no other."""

    pid: int
    created: float
    specification: str

    def process(self) -> psutil.Process | None:
        """The process, unless it has ended or its pid is another's by now."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < 1
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


class ProcessEnvironment:
    """One trainer process for each study, in a session of its own so that it outlives the job.

    ``home`` is Retune's home folder, ``python`` an interpreter with the trainer's requirements,
    ``grace`` the seconds that a trainer has to end by itself when it is removed.

    Memory is limited by ``RLIMIT_DATA`` (Linux alone), for the trainer and each trial by itself:
    TensorFlow reserves far more address space than it uses, so ``RLIMIT_AS`` would stop it at once.
    """

    def __init__(
        self,
        home: Path,
        *,
        python: Path | None = None,
        trainer_path: Path = TRAINER_PATH,
        patience: Patience | None = None,
        grace: float = 5.0,
    ) -> None:
        self._home = home.absolute()
        self._python = str(python or sys.executable)
        self._trainer_path = trainer_path
        self._patience = patience or Patience()
        self._grace = grace
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def launch(self, specification: Specification) -> State:
        prepare(specification)
        study = specification.study
        with locked(specification.folder):
            started = self._started(study)
            state = self._judge(study, started)
            if started and not state.needs_relaunch:
                if started.specification == fingerprint(specification):
                    return state
                state = State(state.condition, "its specification has changed", state.identifier)
            self._note(study, f"removed, was {state.condition.value}: {state.detail}", started)
            self._end(study, started)
            self._start(specification)
            return self._judge(study, self._started(study))

    def state(self, study: str) -> State:
        return self._judge(study, self._started(study))

    def logs(self, study: str, lines: int = 50) -> str:
        return log_tail(self._folder(study), lines)

    def remove(self, study: str) -> None:
        with locked(self._folder(study)):
            self._end(study, self._started(study))
            self._file(study).unlink(missing_ok=True)
            forget_images(self._folder(study))

    def studies(self) -> list[str]:
        files = (self._home / "studies").glob(f"*/{_FOLDER}/{_FILE}")
        return sorted(file.parents[1].name for file in files)

    def describe(self) -> str:
        version = ".".join(map(str, sys.version_info[:3]))
        if self._python != sys.executable:
            return f"child process of {self._python}"
        return f"child process, Python {version}, TensorFlow {_version('tensorflow')}"

    def _folder(self, study: str) -> Path:
        return self._home / "studies" / study

    def _file(self, study: str) -> Path:
        return self._folder(study) / _FOLDER / _FILE

    def _started(self, study: str) -> _Started | None:
        try:
            return _Started(**json.loads(self._file(study).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise RetuneError(
                f"{self._file(study)} is damaged ({error}); end the study's trainer and remove "
                "the file."
            ) from error

    def _start(self, specification: Specification) -> None:
        folder = specification.folder / _FOLDER
        for each in ("home", "tmp", "data"):
            (folder / each).mkdir(parents=True, exist_ok=True)
        _link(folder / "data", specification)
        forget_heartbeat(specification.trials)
        command = [
            *(self._python, "-m", "trainer", "--source", str(specification.source)),
            *("--trials", str(specification.trials), "--data", str(folder / "data")),
            *("--threads", str(max(1, math.ceil(specification.limits.cpus)))),
        ]
        try:
            with (specification.folder / LOG).open("ab") as log:
                child = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=self._environment(folder),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise RetuneError(
                f"The trainer cannot be started with {self._python} ({error.strerror}); give a "
                "Python that has docker/trainer/requirements.txt installed."
            ) from error
        self._children[child.pid] = child
        process = psutil.Process(child.pid)
        if psutil.LINUX:
            memory = specification.limits.memory
            process.rlimit(psutil.RLIMIT_DATA, (memory, memory))
        started = _Started(child.pid, process.create_time(), fingerprint(specification))
        write_whole(self._file(specification.study), json.dumps(asdict(started)))

    def _environment(self, folder: Path) -> dict[str, str]:
        passed = {
            name: value
            for name, value in os.environ.items()
            if name in _PASSED or name.startswith(_PASSED_PREFIXES)
        }
        return passed | {
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "PYTHONPATH": str(self._trainer_path),
            "PYTHONUNBUFFERED": "1",
        }

    def _judge(self, study: str, started: _Started | None) -> State:
        if started is None:
            return State(Condition.ABSENT, "there is no process")
        identifier = str(started.pid)
        if started.process() is None:
            return State(Condition.DEAD, self._how_it_ended(started.pid), identifier)
        trials = self._folder(study) / "trials"
        return judge_heartbeat(trials, started.created, self._patience, identifier)

    def _how_it_ended(self, pid: int) -> str:
        """Only the process that started it learns the exit code."""
        child = self._children.get(pid)
        code = child.poll() if child else None
        if code is None:
            return f"process {pid} has ended"
        if code < 0:
            return f"process {pid} was ended by signal {-code}"
        return f"process {pid} ended with exit code {code}"

    def _note(self, study: str, line: str, started: _Started | None) -> None:
        if started is None:
            return
        when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        with (self._folder(study) / LOG).open("a", encoding="utf-8") as log:
            log.write(f"== {when} process {started.pid} {line}\n")

    def _end(self, study: str, started: _Started | None) -> None:
        """End the trainer and all that its scripts have started.

        Only the trainer is asked first: were its trial ended before it, it would record a failure.
        """
        if started and (trainer := started.process()):
            with suppress(psutil.NoSuchProcess):
                trainer.terminate()
            psutil.wait_procs([trainer], timeout=self._grace)
        deadline = time.monotonic() + self._grace
        while members := list(self._members(study, started)):
            if time.monotonic() > deadline:
                pids = ", ".join(str(each.pid) for each in members)
                raise RetuneError(f"The processes {pids} of {study} do not end; end them by hand.")
            for process in members:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(members, timeout=1.0)
        if started:
            self._children.pop(started.pid, None)

    def _members(self, study: str, started: _Started | None) -> Iterator[psutil.Process]:
        """The trainer's session, and whatever has inherited its home folder as ``HOME``.

        The latter finds those that have left the session, and a trainer whose file is lost.
        """
        session = started.pid if started and started.process() else None
        home = str(self._folder(study) / _FOLDER / "home")
        for process in psutil.process_iter():
            try:
                if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if os.getsid(process.pid) == session or process.environ().get("HOME") == home:
                    yield process
            except (psutil.Error, OSError):
                continue


def _link(root: Path, specification: Specification) -> None:
    """Make the data root: a link for each data set, and no other."""
    for old in root.iterdir():
        old.unlink()
    for name, folder in specification.data.items():
        (root / name).symlink_to(folder.resolve())


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
