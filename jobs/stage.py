"""Where a study stands: which job is the next one, from what is recorded and what lies there."""

from jobs.context import Context
from jobs.scheduler.base import Next
from jobs.study import Study


def next_step(context: Context, study: Study) -> Next:
    """The job that a running study needs now, wherever its chain was broken."""
    trials = study.frozen()
    made = [each for each in trials if "commit" in each.user_attrs]
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
