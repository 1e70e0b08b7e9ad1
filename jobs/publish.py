"""What people get to see of a study: its page, its mail, the artefacts of a build."""

import os
import shutil
from pathlib import Path

from jobs.context import Context
from jobs.errors import RetuneError
from jobs.junit import write_junit
from jobs.notify import send_once
from jobs.report import write_report
from jobs.source.files import Checkout
from jobs.study import Study, StudyView

LOG_LINES = 5000


def report_folder(context: Context, study: Study) -> Path:
    return context.folder(study.name) / "report"


def _winning_diff(context: Context, view: StudyView) -> str:
    """From the pushed script to the best one; empty where that is the pushed one."""
    best = view.best
    winning = best.commit if best is not None and best.commit else view.commit
    return context.repository.diff(view.commit, winning)


def publish(context: Context, study: Study) -> Path:
    """Write the study's page as the record has it now; gives the page."""
    view = study.view()
    return write_report(
        view,
        report_folder(context, study),
        diff=_winning_diff(context, view),
        graph=context.repository.graph(study.name),
    )


def send_mail(context: Context, study: Study) -> None:
    """Send the one mail of a finished study, or leave it to watch."""
    send_once(study, context.settings, diff=_winning_diff(context, study.view()))


def _artifacts() -> Path | None:
    """The folder that the build archives, made where it is missing; None outside of a build."""
    target = os.environ.get("RETUNE_ARTIFACTS")
    if not target:
        return None
    folder = Path(target)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def publish_logs(context: Context, study: Study, trial: int) -> None:
    """Put what the script printed, and the environment's own log, where the build archives them.

    An environment that does not answer says so in its log's place.
    """
    folder = _artifacts()
    if folder is None:
        return
    context.spool(study.name, trial).copy_console(folder / f"console-{trial}.log")
    try:
        log = context.environment.logs(study.name, LOG_LINES)
    except RetuneError as error:
        log = str(error)
    (folder / "environment.log").write_text(f"{log}\n", encoding="utf-8")


def publish_for_build(context: Context, study: Study) -> None:
    """Put page, model, winning script, patch and JUnit file where the build archives them."""
    folder = _artifacts()
    if folder is None:
        return
    page = publish(context, study)
    shutil.copytree(page.parent, folder, dirs_exist_ok=True)
    view = study.view()
    write_junit(view, folder / "junit.xml")
    best = view.best
    if best is None or best.commit is None:
        return
    context.spool(study.name, best.number).copy_model(folder / "model.keras")
    if view.script:
        # A link that leads out of the commit is none of its files.
        script = Checkout(context.source(study.name, best.number)).real(view.script)
        if script is not None:
            shutil.copy(script, folder / Path(view.script).name)
    if patch := _winning_diff(context, view):
        # git's bytes come with lone surrogates where they are no UTF-8; its last newline is cut.
        (folder / "winner.patch").write_bytes(f"{patch}\n".encode(errors="surrogateescape"))
