"""The inline loop: one process runs job after job of a study, and watches meanwhile."""

import threading
from collections.abc import Callable, Mapping

from jobs import launch, pull, train, tune, watch
from jobs.context import Context
from jobs.errors import RetuneError
from jobs.scheduler.base import JobName, Next, Push
from jobs.scheduler.inline import InlineScheduler
from jobs.stage import noting_errors
from jobs.study import storage_errors

Job = Callable[[Context, str, int], Next | None]

RUN: Mapping[JobName, Job] = {
    "pull": pull.run,
    "launch": launch.run,
    "train": train.run,
    "tune": tune.run,
}


def run_push(context: Context, push: Push) -> None:
    """Run job 1 for a push, and all that follows from it, until the study ends."""
    name = pull.study_name(push.branch, push.commit)
    _run(context, name, lambda: pull.receive(context, push))


def run_chain(context: Context, first: Next) -> None:
    """Run a job and all that follows from it, until the study ends."""
    _run(context, first.study, lambda: RUN[first.job](context, first.study, first.trial))


def _run(context: Context, study: str, first: Callable[[], Next | None]) -> None:
    scheduler = context.scheduler
    if not isinstance(scheduler, InlineScheduler):
        raise RetuneError(
            "The jobs are run by Jenkins here; RETUNE_SCHEDULER=inline runs them in this process."
        )
    with scheduler.running(study) as alone:
        if not alone:
            context.say(f"The jobs of {study} are being run already: nothing to do.")
            return
        with _Watch(context), noting_errors(context, study):
            step = first()
            while step is not None:
                step = RUN[step.job](context, step.study, step.trial)


class _Watch:
    """Job 5 in a thread beside the chain, as cron runs it under Jenkins."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="watch", daemon=True)

    def _loop(self) -> None:
        while not self._over.wait(self.context.settings.watch_seconds):
            try:
                with storage_errors():
                    watch.run(self.context)
            except Exception as error:
                # Whatever it was, the next round may go well; without any, nothing is relaunched.
                self.context.say(f"watch: {error}")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
