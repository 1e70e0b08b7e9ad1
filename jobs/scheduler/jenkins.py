"""The real scheduler: Jenkins runs the jobs, python-jenkins triggers and stops them."""

import os

from jobs.scheduler.activity import Build, Subject, builds, queue
from jobs.scheduler.base import Next, Push
from jobs.scheduler.controller import TIMEOUT_SECONDS, Controller, ControllerError
from jobs.settings import Settings


class JenkinsScheduler:
    """Triggers the jobs of a folder. All calls raise RetuneError where Jenkins refuses."""

    def __init__(self, settings: Settings, timeout: float = TIMEOUT_SECONDS) -> None:
        self.controller = Controller(settings, timeout)

    def trigger(self, step: Next) -> None:
        self.controller.start(step.job, {"STUDY": step.study, "TRIAL": str(step.trial)})

    def receive(self, push: Push) -> None:
        self.controller.start("pull", {"BRANCH": push.branch, "COMMIT": push.commit})

    def busy(self, study: str) -> bool:
        return any(_concerns(each.subject, study) for each in queue(self.controller)) or any(
            each.running and _concerns(each.subject, study) for each in builds(self.controller)
        )

    def stop(self, study: str) -> None:
        """The build that calls this is left to end by itself."""
        client = self.controller.client
        for waiting in queue(self.controller):
            if waiting.subject.study == study:
                with self.controller.asking():
                    client.cancel_queue(waiting.number)
        for build in builds(self.controller):
            if build.running and build.subject.study == study and not _own(build):
                try:
                    with self.controller.asking():
                        client.stop_build(self.controller.name(build.job), build.number)
                except ControllerError as error:
                    if error.status != 404:  # it has ended and is discarded
                        raise

    def stopped_by_hand(self, study: str) -> bool:
        """A build that is aborted in its job pauses the study itself; before that, it cannot."""
        found = (each for each in builds(self.controller) if _concerns(each.subject, study))
        last = next(found, None)
        return last is not None and last.by_hand


def _concerns(subject: Subject, study: str) -> bool:
    """Whether a build is about a study; a push is about the study that it starts.

    That study's name ends with the beginning of the commit's. Two branches at the same commit
    cannot be told apart by it, which only makes a study look busy for the while of one pull.
    """
    if subject.study:
        return subject.study == study
    return bool(subject.commit) and study.endswith(f"-{subject.commit[:7]}")


def _own(build: Build) -> bool:
    """Whether this process runs in that build."""
    here = os.environ.get("JOB_BASE_NAME"), os.environ.get("BUILD_NUMBER")
    return here == (build.job, str(build.number))
