"""Where a study stands: which job is the next one, and what last went wrong."""

from collections.abc import Iterator
from contextlib import contextmanager

from jobs.context import Context
from jobs.errors import RetuneError
from jobs.scheduler.base import Next
from jobs.study import Study


def next_step(context: Context, study: Study) -> Next:
    """The job that a running study needs now, wherever its chain was broken."""
    made = [each for each in study.frozen() if "commit" in each.user_attrs]
    if not made:
        return Next("pull", study.name, 0)
    last = made[-1]
    if last.state.is_finished():
        return Next("tune", study.name, last.number)
    if not context.source(study.name, last.number).exists():
        return Next("pull", study.name, last.number)
    if "values" not in last.user_attrs:
        return Next("launch", study.name, last.number)
    return Next("train", study.name, last.number)


@contextmanager
def noting_errors(context: Context, name: str) -> Iterator[None]:
    """Keep the sentence a job failed with, so that watch can say why it gave a study up."""
    try:
        yield
    except RetuneError as error:
        if name in context.record.names():
            context.record.open(name).set("last_error", str(error))
        raise
