"""Mail: exactly one at the end of a study.

The mail is composed once and kept in the study's folder; its state is in the record: ``sending``
before the first word to the server, then ``waiting`` with the error, or ``sent``. It is sent under
a lock, so that job 4 and watch do not both send it. Should a process die while ``sending``, nobody
can know whether the server took the mail: the same one goes out again with the same Message-ID, by
which mail programs and servers know a repeated mail. Better twice the same than none.
"""

import re
import time
from collections.abc import Iterable
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, localtime

from filelock import FileLock

from jobs import pictures
from jobs.files import write_whole
from jobs.printable import one_line, printable
from jobs.report import accuracy, diff_lines, failure, headline, looked, templates
from jobs.repository import best_branch, trial_branch
from jobs.settings import Settings
from jobs.smtp import MailError, send
from jobs.study import Study, StudyView, TrialView

MAIL = "mail.eml"
POLICY = policy.SMTP.clone(cte_type="7bit")
"""Every server takes seven bits."""
ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)
"""The plain form of an address (RFC 5321, section 4.1.2, Dot-string without quoting)."""


def send_once(study: Study, settings: Settings, *, diff: str) -> None:
    """Send the mail of a finished study unless it has been sent.

    ``diff``: from the pushed script to the best one. Raises MailError where the server did not
    take it; the record says so and the next call tries again, with the recipients and the sender
    that the settings name then.
    """
    folder = settings.studies / study.name
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".mail.lock"):
        known = study.get("mail", {})
        if known.get("state") == "sent":
            return
        message = _stored(study, settings, diff)
        _readdress(message, settings, recipients(study, settings))
        known = {"id": message["Message-ID"], "attempts": known.get("attempts", 0) + 1}
        study.set("mail", {**known, "state": "sending"})
        try:
            told = deliver(message, settings, file=f"{study.name}.eml")
        except MailError as error:
            study.set("mail", {**known, "state": "waiting", "error": str(error)})
            raise
        study.set("mail", {**known, "state": "sent", "time": time.time(), **told})


def _stored(study: Study, settings: Settings, diff: str) -> EmailMessage:
    """The mail as it was composed first."""
    file = settings.studies / study.name / MAIL
    if not file.exists():
        to = recipients(study, settings)
        message = compose(study.view(), settings, diff=diff, recipients=to)
        write_whole(file, message.as_bytes())
    return message_from_bytes(file.read_bytes(), policy=POLICY)


def recipients(study: Study, settings: Settings) -> list[str]:
    """The operator's, the repository's within the operator's domains, and the commit's author.

    An address that is not plain is left out: who pushes a commit says freely who its author is.
    """
    domains = {each.casefold() for each in settings.mail_domains}
    wished = [*study.get("wanted_recipients", []), study.get("email", "")]
    allowed = [each for each in wished if each.rpartition("@")[2].casefold() in domains]
    found: dict[str, str] = {}
    for each in [*settings.mail_to, *filter(ADDRESS.fullmatch, allowed)]:
        found.setdefault(each.casefold(), each)
    return list(found.values())


def _readdress(message: EmailMessage, settings: Settings, to: Iterable[str]) -> None:
    del message["From"], message["To"]
    message["From"] = _address(settings.mail_from)
    if addresses := [_address(each) for each in to]:
        message["To"] = addresses


def compose(
    view: StudyView, settings: Settings, *, diff: str, recipients: list[str]
) -> EmailMessage:
    """The mail as text and HTML, with the picture of accuracy by trial inline."""
    message = EmailMessage(policy=POLICY)
    message["Subject"] = one_line(subject(view))[:200]
    _readdress(message, settings, recipients)
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = f"<{view.name}.{int(view.started)}@retune.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    picture = f"accuracy.{view.name}@retune.invalid" if view.trials else None
    lines = list(diff_lines(diff))
    shown = {
        "view": view,
        "headline": headline(view),
        "best": view.best,
        "confirmation": view.confirmation,
        "test_accuracy": _test_accuracy(view.best),
        "looked": looked(view),
        "failure": failure,
        "branch": _branch(view),
        "link": _link(view, settings),
        "picture": picture,
        "diff": lines,
    }
    made = templates()
    text, html_text = (
        printable(made.get_template(name).render(shown)) for name in ("mail.txt", "mail.html")
    )
    message.set_content(text)
    message.add_alternative(html_text, subtype="html")
    if picture is not None:
        html = message.get_payload()[1]  # type: ignore[index]
        html.add_related(  # type: ignore[union-attr]
            pictures.accuracy_by_trial(view),
            "image",
            "png",
            cid=f"<{picture}>",
            disposition="inline",
            filename="accuracy.png",
        )
    return message


def _test_accuracy(best: TrialView | None) -> str:
    """That of the best trial, or why there is none."""
    if best is not None and best.result is not None and best.result.test_accuracy is not None:
        return accuracy(best.result.test_accuracy)
    if best is not None and best.state == "pruned":
        return "not measured: the trial was ended before it"
    return "not known: the script evaluates on no data that are clearly its test data"


def subject(view: StudyView) -> str:
    best = view.best
    if view.outcome == "reached" and best is not None:
        count = f"{len(view.trials)} trial{'' if len(view.trials) == 1 else 's'}"
        return (
            f"Retune: {view.branch} reached {best.objective:.3f} (target {view.target:g}) "
            f"after {count}"
        )
    so_far = f", best {best.objective:.3f} of {view.target:g}" if best is not None else ""
    told = headline(view)
    return f"Retune: {view.branch}@{view.commit[:7]}: {told[:1].lower()}{told[1:]}{so_far}"


def _branch(view: StudyView) -> str | None:
    """Where the best script is to be had; None where it is the pushed one."""
    if view.outcome == "reached":
        return best_branch(view.name)
    if view.best is None or view.best.commit == view.commit:
        return None
    return trial_branch(view.name, view.best.number)


def _link(view: StudyView, settings: Settings) -> str | None:
    if settings.public_url is None:
        return None
    return f"{settings.public_url.rstrip('/')}/{view.name}/report/report.html"


def _address(text: str) -> Address:
    user, _, domain = text.rpartition("@")
    return Address(username=user, domain=domain)


def deliver(message: EmailMessage, settings: Settings, *, file: str) -> dict[str, object]:
    """Send a mail, or put it into the outbox where there is no server or no recipient.

    Gives where it went (``to``), and who was refused (``refused``). Raises MailError.
    """
    if settings.smtp_host is not None and message["To"] is not None:
        return {"to": str(message["To"]), "refused": send(message, settings)}
    path = settings.outbox / file
    try:
        write_whole(path, message.as_bytes())
    except OSError as error:
        raise MailError(
            f"The mail could not be written to {path} ({error.strerror}); see that the folder "
            "can be written and has room.",
            passing=True,
        ) from error
    return {"to": str(path)}
