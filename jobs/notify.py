"""Mail: exactly one at the end of a study.

The mail is composed once and kept in the study's folder; its state is in the record. It is sent
under a lock, so that job 4 and watch do not both send it. Should a process die after the server
took the mail and before that was recorded, the same mail goes out again with the same Message-ID,
by which mail programs and servers know a repeated mail: better twice the same than none.
"""

import smtplib
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, localtime

from filelock import FileLock

from jobs import pictures
from jobs.errors import RetuneError
from jobs.files import write_whole
from jobs.report import diff_lines, failure, headline, templates
from jobs.repository import best_branch, trial_branch
from jobs.settings import Settings
from jobs.study import Study, StudyView

MAIL = "mail.eml"
PAUSES = (1.0, 4.0)
"""Seconds between the attempts of one call; later ones are watch's."""
MOST_DIFF_LINES = 400
POLICY = policy.SMTP.clone(cte_type="7bit")
"""Every server takes seven bits."""


class MailError(RetuneError):
    """The mail was not taken; ``passing`` where trying again may help."""

    def __init__(self, sentence: str, *, passing: bool) -> None:
        super().__init__(sentence)
        self.passing = passing


def send_once(study: Study, settings: Settings, *, diff: str) -> None:
    """Send the mail of a finished study unless it has been sent.

    ``diff``: from the pushed script to the best one. Raises MailError where the server did not
    take it; the record says so and the next call tries again.
    """
    folder = settings.studies / study.name
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".mail.lock"):
        if study.get("mail", {}).get("state") == "sent":
            return
        file = folder / MAIL
        if not file.exists():
            message = compose(
                study.view(), settings, diff=diff, recipients=recipients(study, settings)
            )
            write_whole(file, message.as_bytes())
        message = message_from_bytes(file.read_bytes(), policy=POLICY)
        attempts = study.get("mail", {}).get("attempts", 0) + 1
        known = {"id": message["Message-ID"], "attempts": attempts}
        try:
            where = deliver(message, settings, file=f"{study.name}.eml")
        except MailError as error:
            study.set("mail", {**known, "state": "waiting", "error": str(error)})
            raise
        study.set("mail", {**known, "state": "sent", "to": where, "time": time.time()})


def recipients(study: Study, settings: Settings) -> list[str]:
    """The operator's, the repository's within the operator's domains, and the commit's author."""
    domains = {each.casefold() for each in settings.mail_domains}
    wished = [*study.get("wanted_recipients", []), study.get("email", "")]
    allowed = [each for each in wished if each.rpartition("@")[2].casefold() in domains]
    return list(dict.fromkeys([*settings.mail_to, *allowed]))


def compose(
    view: StudyView, settings: Settings, *, diff: str, recipients: list[str]
) -> EmailMessage:
    """The mail as text and HTML, with the picture of accuracy by trial inline."""
    message = EmailMessage(policy=POLICY)
    message["Subject"] = _one_line(subject(view))
    message["From"] = _address(settings.mail_from)
    if recipients:
        message["To"] = [_address(each) for each in recipients]
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = f"<{view.name}.{int(view.started)}@retune.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    picture = f"accuracy.{view.name}@retune.invalid" if view.trials else None
    lines = diff.splitlines()
    if len(lines) > MOST_DIFF_LINES:
        more = f"... {len(lines) - MOST_DIFF_LINES} more lines"
        lines = [*lines[:MOST_DIFF_LINES], more]
    shown = {
        "view": view,
        "headline": headline(view),
        "best": view.best,
        "looked": sum(each.objective is not None for each in view.trials),
        "failure": failure,
        "branch": _branch(view),
        "link": _link(view, settings),
        "picture": picture,
        "diff": "\n".join(lines),
        "lines": list(diff_lines("\n".join(lines))),
    }
    made = templates()
    message.set_content(made.get_template("mail.txt").render(shown))
    message.add_alternative(made.get_template("mail.html").render(shown), subtype="html")
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


def subject(view: StudyView) -> str:
    best = view.best
    if view.outcome == "reached" and best is not None:
        count = f"{len(view.trials)} trial{'' if len(view.trials) == 1 else 's'}"
        return (
            f"Retune: {view.branch} reached {best.objective:.3f} (target {view.target:g}) "
            f"after {count}"
        )
    so_far = f", best {best.objective:.3f} of {view.target:g}" if best is not None else ""
    return f"Retune: {view.branch}@{view.commit[:7]}: {headline(view).lower()}{so_far}"


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


def _one_line(text: str) -> str:
    return " ".join(text.split())


# Delivery --------------------------------------------------------------------------------------


def deliver(message: EmailMessage, settings: Settings, *, file: str) -> str:
    """Send a mail, or put it into the outbox where there is no server or no recipient.

    Gives where it went. Raises MailError.
    """
    if settings.smtp_host is None or message["To"] is None:
        path = settings.outbox / file
        write_whole(path, message.as_bytes())
        return str(path)
    return _repeated(lambda: _send(message, settings))


def _repeated(send: Callable[[], str]) -> str:
    for pause in PAUSES:
        try:
            return send()
        except MailError as error:
            if not error.passing:
                raise
        time.sleep(pause)
    return send()


def _send(message: EmailMessage, settings: Settings) -> str:
    with _sentences(settings), _connection(settings) as server:
        if settings.smtp_user is not None and settings.smtp_password is not None:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        refused = server.send_message(message)
    if refused:
        raise MailError(
            f"The mail server took the mail, but not for {', '.join(refused)}; correct "
            "RETUNE_MAIL_TO or the recipients in retune.toml.",
            passing=False,
        )
    return str(message["To"])


@contextmanager
def _connection(settings: Settings) -> Iterator[smtplib.SMTP]:
    host, port = settings.smtp_host or "", settings.smtp_port
    patience, trust = settings.smtp_timeout, ssl.create_default_context()
    if settings.smtp_security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=patience, context=trust)
    else:
        server = smtplib.SMTP(host, port, timeout=patience)
    with server:
        if settings.smtp_security == "starttls":
            server.starttls(context=trust)
        yield server


@contextmanager
def _sentences(settings: Settings) -> Iterator[None]:
    """Say what a mail server's refusal means, without the password."""
    where = f"The mail server {settings.smtp_host}:{settings.smtp_port}"

    def answer(code: int, text: bytes | str) -> str:
        said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        return _one_line(f"{code} {said}")[:200]

    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        raise MailError(
            f"{where} refused the login of {settings.smtp_user} ({answer(*error.args[:2])}); "
            "correct RETUNE_SMTP_USER and RETUNE_SMTP_PASSWORD.",
            passing=400 <= error.smtp_code < 500,
        ) from error
    except smtplib.SMTPRecipientsRefused as error:
        told = "; ".join(f"{to}: {answer(*why)}" for to, why in error.recipients.items())
        raise MailError(
            f"{where} refused every recipient ({told}); correct RETUNE_MAIL_TO.",
            passing=all(400 <= code < 500 for code, _ in error.recipients.values()),
        ) from error
    except smtplib.SMTPNotSupportedError as error:
        raise MailError(
            f"{where} does not offer what the settings ask for ({error}); "
            "correct RETUNE_SMTP_SECURITY or the login.",
            passing=False,
        ) from error
    except smtplib.SMTPResponseException as error:
        raise MailError(
            f"{where} refused the mail ({answer(error.smtp_code, error.smtp_error)}).",
            passing=400 <= error.smtp_code < 500,
        ) from error
    except ssl.SSLError as error:
        raise MailError(
            f"{where} could not be spoken to safely ({error.reason or error}); correct "
            "RETUNE_SMTP_SECURITY, or trust its certificate authority by SSL_CERT_FILE.",
            passing=False,
        ) from error
    except (OSError, smtplib.SMTPException) as error:
        raise MailError(
            f"{where} does not answer ({_one_line(str(error)) or type(error).__name__}); see that "
            "it runs and that RETUNE_SMTP_HOST and RETUNE_SMTP_PORT are right.",
            passing=True,
        ) from error
