"""The way to the mail server: one message, its refusals in sentences, attempts repeated."""

import smtplib
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage

from jobs.errors import RetuneError
from jobs.printable import one_line
from jobs.settings import Settings

PAUSES = (1.0, 4.0)
"""Seconds between the attempts of one call; later ones are watch's."""


class MailError(RetuneError):
    """The mail was not taken; ``passing`` where trying again may help."""

    def __init__(self, sentence: str, *, passing: bool) -> None:
        super().__init__(sentence)
        self.passing = passing


def send(message: EmailMessage, settings: Settings) -> dict[str, str]:
    """Send a message to the addresses of its ``To``; again where the trouble may pass.

    Gives the recipients that the server refused while it took the mail for others, each with its
    answer. From then on the mail is sent: a repetition would reach the others twice. Raises
    MailError where it was taken for none.
    """
    return _repeated(lambda: _send(message, settings))


def _repeated(attempt: Callable[[], dict[str, str]]) -> dict[str, str]:
    for pause in PAUSES:
        try:
            return attempt()
        except MailError as error:
            if not error.passing:
                raise
        time.sleep(pause)
    return attempt()


def _send(message: EmailMessage, settings: Settings) -> dict[str, str]:
    with _sentences(settings), _connection(settings) as server:
        if settings.smtp_user is not None and settings.smtp_password is not None:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        refused = server.send_message(message)
    return {to: _answer(*why) for to, why in refused.items()}


@contextmanager
def _connection(settings: Settings) -> Iterator[smtplib.SMTP]:
    """Certificates are verified against the system's authorities, or those of SSL_CERT_FILE."""
    host, port = settings.smtp_host or "", settings.smtp_port
    patience, trust = settings.smtp_timeout, ssl.create_default_context()
    if settings.smtp_security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=patience, context=trust)
    else:
        server = smtplib.SMTP(host, port, timeout=patience)
    try:
        if settings.smtp_security == "starttls":
            server.starttls(context=trust)
        yield server
        # The mail is taken by now, however the parting goes.
        with suppress(OSError):
            server.quit()
    finally:
        server.close()


def _answer(code: int, text: bytes | str) -> str:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return one_line(f"{code} {said}")[:200]


@contextmanager
def _sentences(settings: Settings) -> Iterator[None]:
    """Say what a mail server's refusal means, without the password."""
    where = f"The mail server {settings.smtp_host}:{settings.smtp_port}"
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        raise MailError(
            f"{where} refused the login of {settings.smtp_user} "
            f"({_answer(error.smtp_code, error.smtp_error)}); "
            "correct RETUNE_SMTP_USER and RETUNE_SMTP_PASSWORD.",
            passing=_is_passing(error.smtp_code),
        ) from error
    except smtplib.SMTPRecipientsRefused as error:
        told = "; ".join(f"{to}: {_answer(*why)}" for to, why in error.recipients.items())
        raise MailError(
            f"{where} refused every recipient ({told}); correct RETUNE_MAIL_TO.",
            passing=all(_is_passing(code) for code, _ in error.recipients.values()),
        ) from error
    except smtplib.SMTPNotSupportedError as error:
        raise MailError(
            f"{where} does not offer what the settings ask for ({error}); "
            "correct RETUNE_SMTP_SECURITY or the login.",
            passing=False,
        ) from error
    except smtplib.SMTPResponseException as error:
        raise MailError(
            f"{where} refused the mail ({_answer(error.smtp_code, error.smtp_error)}).",
            passing=_is_passing(error.smtp_code),
        ) from error
    except ssl.SSLError as error:
        raise MailError(
            f"{where} could not be spoken to safely ({error.reason or error}); correct "
            "RETUNE_SMTP_SECURITY, or trust its certificate authority by SSL_CERT_FILE.",
            passing=False,
        ) from error
    except UnicodeError:
        # Without its cause: that holds the login it could not encode.
        raise MailError(
            f"{where} cannot be given a name or login with other characters than ASCII's; correct "
            "RETUNE_SMTP_HOST, RETUNE_SMTP_USER or RETUNE_SMTP_PASSWORD.",
            passing=False,
        ) from None
    except (OSError, smtplib.SMTPException) as error:
        raise MailError(
            f"{where} does not answer ({one_line(str(error)) or type(error).__name__}); see that "
            "it runs and that RETUNE_SMTP_HOST and RETUNE_SMTP_PORT are right.",
            passing=True,
        ) from error


def _is_passing(code: int) -> bool:
    return 400 <= code < 500
