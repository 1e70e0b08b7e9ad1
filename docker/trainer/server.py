"""The fork server: TensorFlow is imported once, each trial runs in a forked child.

The server has one thread of its own. It forks from the loop that also beats the heart and follows
the child, so that no lock of another thread can be held in a child for ever, and a heartbeat says
that this very loop is turning. TensorFlow's own threads and devices come up in the children.
"""

import gc
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trainer import failures
from trainer.limits import out_of_memory_kills
from trainer.onednn import ask_for_onednn
from trainer.spool import Trial
from trainer.state import State, read_age, write_age

HEARTBEAT_SECONDS = 2.0
POLL_SECONDS = 0.02
CHILD_POLL_SECONDS = 0.02
FORGET_SECONDS = 1.0
STOP_GRACE_SECONDS = 30.0

CONCLUDED = 86
"""Exit status of a child that has written its result."""
MOST_REOPENED = 100


@dataclass(frozen=True)
class Places:
    """Folders: the commits by trial, the spool, the data sets by name."""

    source: Path
    trials: Path
    data: Path


def serve(places: Places, threads: int) -> int:
    """Run trials until SIGTERM. Returns the exit status."""
    import_quietly()
    return Server(places, threads).run()


def import_quietly() -> None:
    """Import TensorFlow and prepare for trials without remarks, but where the import fails."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    ask_for_onednn()
    sys.stderr.flush()
    kept = os.dup(2)
    # A tenth of the import's time would go into looking for garbage, of which it makes none.
    gc.disable()
    with tempfile.TemporaryFile() as remarks:
        os.dup2(remarks.fileno(), 2)
        try:
            from trainer.child import prepare  # imports TensorFlow and Keras

            prepare()
        except BaseException:
            remarks.seek(0)
            os.write(kept, remarks.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            gc.enable()


class Server:
    def __init__(self, places: Places, threads: int) -> None:
        self._places = places
        self._threads = threads
        self._ending = False
        self._last_beat = 0.0
        self._concluded: set[int] = set()
        self._forgotten = 0.0
        self._reopened: dict[int, int] = {}

    def run(self) -> int:
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, self._end)
        # Until a child has its own way of being stopped, the signal must not end it.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        print(f"trainer: ready, {self._threads} threads", flush=True)
        while not self._ending:
            self._beat()
            trial = self._pending()
            if trial is None:
                time.sleep(POLL_SECONDS)
            else:
                self._run_trial(trial)
        print("trainer: ended", flush=True)
        return 0

    def _end(self, *_: object) -> None:
        self._ending = True

    def _beat(self) -> bool:
        """Touch the heartbeat where it is time for it; whether it was."""
        now = time.monotonic()
        if now - self._last_beat < HEARTBEAT_SECONDS:
            return False
        self._last_beat = now
        heartbeat = self._places.trials / "heartbeat"
        try:
            os.utime(heartbeat, follow_symlinks=False)
        except FileNotFoundError:
            heartbeat.touch()
        return True

    def _pending(self) -> Trial | None:
        """The lowest trial with a request and no result.

        Concluded trials are looked at once a second only: a stopped one may be reopened.
        """
        now = time.monotonic()
        if now - self._forgotten > FORGET_SECONDS:
            self._concluded.clear()
            self._forgotten = now
        numbers = {int(name) for name in os.listdir(self._places.trials) if name.isdecimal()}
        for number in sorted(numbers - self._concluded):
            trial = Trial(self._places.trials / str(number))
            if trial.is_pending:
                return trial
            if trial.has_result:
                self._concluded.add(number)
        return None

    def _run_trial(self, trial: Trial) -> None:
        try:
            request = trial.request()
            trial.checkpoint.mkdir(exist_ok=True)
            age = read_age(trial)
        except (OSError, ValueError, TypeError) as error:
            self._conclude(
                trial, failures.Ending("failed", "script-error", f"The request is damaged: {error}")
            )
            return
        kills = out_of_memory_kills()
        started = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._become_child(trial, age)
        print(f"trainer: trial {trial.number} runs in process {pid}", flush=True)
        status, ending = self._follow(trial, pid, age, request.seconds)
        age += time.monotonic() - started
        with suppress(OSError):
            # What the script has left running ends with it.
            os.killpg(pid, signal.SIGKILL)
        if self._ending or trial.has_result:
            return
        write_age(trial, age)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == CONCLUDED:
            # Its result has been taken away again by now: the trial was reopened. A script that
            # plays this trick itself comes through a few times only.
            self._reopened[trial.number] = self._reopened.get(trial.number, 0) + 1
            if self._reopened[trial.number] < MOST_REOPENED:
                return
        if ending is None:
            ending = failures.of_process(
                status, out_of_memory=out_of_memory_kills() > kills, console=_tail(trial.console)
            )
        self._conclude(trial, ending)

    def _become_child(self, trial: Trial, age: float) -> None:
        """Never returns. Nothing of the server's may run on in the child."""
        status = 70
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            from trainer.child import run

            status = run(self._places, trial, age, self._threads, CONCLUDED)
        finally:
            os._exit(status)

    def _follow(
        self, trial: Trial, pid: int, age: float, limit: float | None
    ) -> tuple[int, failures.Ending | None]:
        """Wait for a child: its ``waitpid`` status, and how it ended where we ended it."""
        started = time.monotonic()
        stop_asked: float | None = None
        ending: failures.Ending | None = None
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return status, ending
            now = time.monotonic()
            seconds = age + now - started
            if self._beat():
                write_age(trial, seconds)
            if self._ending:
                _kill(pid)
            elif limit is not None and seconds > limit and ending is None:
                ending = failures.Ending(
                    "failed", "time-limit", f"The trial ran longer than its limit of {limit:.0f} s."
                )
                _kill(pid)
            elif stop_asked is None and trial.stop_is_asked:
                stop_asked = now
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGUSR1)
            elif stop_asked is not None and now - stop_asked > STOP_GRACE_SECONDS:
                ending = failures.Ending("stopped", None, trial.stop_reason() or "Stopped.")
                _kill(pid)
            time.sleep(CHILD_POLL_SECONDS)

    def _conclude(self, trial: Trial, ending: failures.Ending) -> None:
        state = State.read(trial)
        state.count_lost_time(read_age(trial))
        result = state.result(ending.outcome, ending.failure, ending.reason)
        try:
            trial.write_progress(state.epochs())
            trial.conclude(result)
        except OSError as error:
            # Not to be tried again at once: the next look may find the folder mended.
            print(f"trainer: trial {trial.number}: no result can be written: {error}", flush=True)
            time.sleep(FORGET_SECONDS)


def _kill(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _tail(path: Path, size: int = 4096) -> str:
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
