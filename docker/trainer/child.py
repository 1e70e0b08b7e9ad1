"""One trial in its forked process. Imported by the server, so that the children need not import."""

import builtins
import contextlib
import ctypes
import functools
import gc
import os
import random
import re
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import keras
import numpy as np
import tensorflow as tf
from keras.src.legacy.preprocessing import image as _preloaded  # noqa: F401

from trainer import (
    affine,
    decoded,
    elsewhere,
    failures,
    finished,
    hooks,
    pillow,
    pipelines,
    python2,
    script,
    shelf,
    shims,
    stacking,
    surroundings,
    tracing,
    workspace,
)
from trainer.failures import Ending
from trainer.paths import data_folders
from trainer.session import Session
from trainer.spool import Trial, clean

if TYPE_CHECKING:
    from trainer.server import Places

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def prepare() -> None:
    """What all trials have alike, done once in the server: their processes begin with it."""
    pipelines.end_at_once()
    pipelines.remember_steps()
    affine.share_coordinates()
    tracing.trace_once()
    stacking.build_by_layer()
    decoded.keep()
    shims.prepare()
    surroundings.prepare()
    _versions()
    # Else the collector of each child touches, and so copies, every page that holds an object.
    gc.collect()
    gc.freeze()


def run(places: "Places", trial: Trial, age: float, threads: int, concluded: int) -> int:
    """Train one trial and write its result.

    Returns the exit status of this process: ``concluded`` once there is a result.
    """
    _detach()
    _open_console(trial.console)
    try:
        _train(places, trial, age, threads, concluded)
        return concluded
    except BaseException:
        traceback.print_exc()
        return 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _train(places: "Places", trial: Trial, age: float, threads: int, concluded: int) -> None:
    session = Session(trial, trial.request(), places.trials, age)
    signal.signal(signal.SIGUSR1, _stopper(session))
    session.state.versions = _versions()
    session.save()
    clean(trial.checkpoint)
    if session.state.runs > 1:
        print(f"-- run {session.state.runs} of this trial, going on from its checkpoint --")
    _use_threads(threads)

    def give_up() -> NoReturn:
        _conclude(session, session.ended.ending if session.ended else Ending("stopped"))
        os._exit(concluded)

    session.give_up = give_up
    ending = _run_script(session, places, threads)
    _conclude(session, _judge(session) if ending.outcome == "complete" else ending)


def _conclude(session: Session, ending: Ending) -> None:
    session.save()
    result = session.state.result(ending.outcome, ending.failure, ending.reason)
    if ending.outcome == "complete":
        clean(session.trial.checkpoint, everything=True)
    session.trial.conclude(result)


def _run_script(session: Session, places: "Places", threads: int) -> Ending:
    request, trial = session.request, session.trial
    root = trial.work
    try:
        session.check_stop()
        made = workspace.make(
            places.source / str(request.trial),
            trial.work,
            request.script,
            request.data,
            places.data,
        )
        root = made.root
        os.chdir(made.script.parent)
        _prepare_python(session, made)
        # Some start it from further up: python -m src.train.
        sys.path += [
            str(each) for each in made.script.parents[1:] if each.is_relative_to(made.root)
        ]
        if request.seed is not None:
            keras.utils.set_random_seed(request.seed)
        hooks.install(session)
        shims.install(session.state.note)
        surroundings.install(places.data, session)
        shown = [Path(each).resolve() for each in request.data if os.path.isabs(each)]
        given = [*data_folders(places.data), *shown]
        finished.install(places.trials / shelf.FOLDER, given, threads)
        pillow.install(places.trials / shelf.FOLDER, given)
        python2.install(made.root)
        script.run(
            made.script,
            request.arguments,
            session.state.note,
            functools.partial(_goes_on, session, made.root),
        )
    except BaseException as error:
        ending = failures.of_exception(error, root)
        if not isinstance(error, (failures.TrialEnd, SystemExit)):
            _print_traceback(error)
        return session.ended.ending if session.ended else _weigh(session, error, ending, root)
    return session.ended.ending if session.ended else Ending("complete")


def _weigh(session: Session, error: BaseException, ending: Ending, root: Path) -> Ending:
    """A script that fails after its last ``fit`` (in drawing a curve …) has trained completely."""
    fits = session.state.fits
    if ending.failure != "script-error" or not fits or session.fit_number < len(fits):
        return ending
    if not fits[-1].ended or _may_fit_again(error, root):
        return ending
    session.state.note(f"After its training the script failed: {ending.reason}")
    return Ending("complete")


def _may_fit_again(error: BaseException, root: Path) -> bool:
    """Whether the script calls ``fit`` below the line that failed, read from its text."""
    for frame, number in traceback.walk_tb(error.__traceback__):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(root):
            below = script.text_below(str(path), number)
            return re.search(r"\.fit(_generator)?\(", below) is not None
    return True


def _goes_on(session: Session, root: Path, error: Exception) -> bool:
    """Once the last ``fit`` has ended, a notebook's cell that fails is left behind, with a note.

    A cell that fails between two may be the one that makes the model of the second.
    """
    fits = session.state.fits
    if session.ended is not None or not fits or not fits[-1].ended or _may_fit_again(error, root):
        return False
    _print_traceback(error)
    ending = failures.of_exception(error, root)
    session.state.note(f"After its training a cell failed: {ending.reason}")
    return ending.failure == "script-error"


def _judge(session: Session) -> Ending:
    """What a script that ran to its end amounts to."""
    trained = [fit for fit in session.state.fits if fit.epochs]
    if not trained:
        custom = any(_trains_by_itself(path) for path in session.trial.work.rglob("*.py"))
        reason = failures.CUSTOM_LOOP if custom else failures.NO_FIT
        return Ending("failed", "no-fit", reason)
    if trained[-1].best() is None:
        return Ending("failed", "no-accuracy", failures.NO_ACCURACY)
    return Ending("complete")


def _trains_by_itself(path: Path) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")
    return "GradientTape" in text or "train_on_batch" in text


def _detach() -> None:
    """A process group of our own, which ends when the server dies, and the first to be killed
    where memory runs out."""
    os.setpgid(0, 0)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _open_console(path: Path) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    console = os.open(path, flags, 0o644)
    os.dup2(console, 1)
    os.dup2(console, 2)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = open(  # noqa: SIM115
            number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _use_threads(threads: int) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def _prepare_python(session: Session, made: workspace.Workspace) -> None:
    builtins.input = _no_input
    random.seed()
    np.random.seed()
    again = [made.root] if session.state.runs > 1 else made.shown
    elsewhere.install(session.trial.work / "elsewhere", again)


def _no_input(prompt: object = "") -> NoReturn:
    raise EOFError(
        f"The script asks for input ({str(prompt).strip()!r}), and nobody is there to answer; give "
        "it a default or read it from sys.argv."
    )


def _stopper(session: Session) -> Any:
    def stop(*_: object) -> None:
        # Inside fit the next batch's hook ends the script, where Keras can be left in order.
        if not session.state.inside_fit:
            session.check_stop()

    return stop


def _print_traceback(error: BaseException) -> None:
    """The traceback from the script's own frames on."""
    trace = error.__traceback__
    own = str(Path(__file__).parent)
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(own):
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)


@functools.cache
def _versions() -> dict[str, str]:
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }
