"""The mail at the end of a study: what it says, to whom it goes, and that it is one."""

import multiprocessing
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from jobs import notify, smtp
from jobs.environment.spool import Result
from jobs.notify import compose, recipients, send_once
from jobs.settings import Settings
from jobs.smtp import MailError
from jobs.study import Record, Study
from tests.jobs import views

PASSWORD = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _only_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith("RETUNE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(smtp, "PAUSES", (0.0, 0.0))


def settings_of(home: Path, **changes: Any) -> Settings:
    known: dict[str, Any] = {"home": home, "mail_to": ["you@example.com"]}
    return Settings(**{**known, **changes})


def finished(settings: Settings, **facts: Any) -> Study:
    settings.home.mkdir(parents=True, exist_ok=True)
    known = {"branch": "main", "commit": views.COMMIT, "author": "Ada", "subject": "Add a CNN"}
    study = Record(settings.storage_url).create("main-1a2b3c4", {**known, **facts})
    study.finish("not-a-cnn", "cnn.py is no CNN.")
    return study


def composed(settings: Settings, view: Any, diff: str = views.DIFF) -> EmailMessage:
    message = compose(view, settings, diff=diff, recipients=["you@example.com"])
    return message_from_bytes(message.as_bytes(), policy=policy.default)  # type: ignore[return-value]


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


# What it says ------------------------------------------------------------------------------------


def test_it_says_what_was_reached_and_how_to_have_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, public_url="https://retune.example.com/studies/")
    message = composed(settings, views.reached())
    assert message["Subject"] == "Retune: main reached 0.812 (target 0.8) after 4 trials"
    for kind in ("plain", "html"):
        text = body(message, kind)
        for told in (
            *("0.8120", "0.8010", "3 looked at the validation images"),
            "optimizer.learning_rate 0.001 to 0.0004",
            "git fetch origin retune/main-1a2b3c4/best",
            "https://retune.example.com/studies/main-1a2b3c4/report/report.html",
            "+model.add(Dropout(0.3))",
            "The loss jumps from epoch to epoch.",
            "87% of its parameters, from trial 2",
            "Validation accuracy still rises at the end.",
        ):
            assert told in text
    assert "<b>size</b>" in body(message, "plain")
    assert "&lt;b&gt;size&lt;/b&gt;" in body(message, "html")


def test_the_picture_is_inline(tmp_path: Path) -> None:
    message = composed(settings_of(tmp_path), views.reached())
    [picture] = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert picture.get_content_disposition() == "inline"
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in body(message, "html")
    assert picture.get_content().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("budget", "main@1a2b3c4: budget spent, best 0.766 of 0.8"),
        ("failures", "main@1a2b3c4: ended after failures, best 0.766 of 0.8"),
        ("error", "main@1a2b3c4: could not be trained, best 0.766 of 0.8"),
        ("stopped", "main@1a2b3c4: stopped, best 0.766 of 0.8"),
    ],
)
def test_a_missed_target_is_not_made_to_look_reached(
    outcome: str, said: str, tmp_path: Path
) -> None:
    view = views.study(*views.long_study().trials, outcome=outcome, reason="This is why.")
    message = composed(settings_of(tmp_path), view)
    assert message["Subject"] == f"Retune: {said}"
    text = body(message, "plain")
    assert "This is why." in text
    assert "git fetch origin retune/main-1a2b3c4/27" in text
    assert "/best" not in text


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("complete", "not known: the script evaluates on no data that are clearly its test data"),
        ("pruned", "not measured: the trial was ended before it"),
    ],
)
def test_why_there_is_no_test_accuracy(state: str, why: str, tmp_path: Path) -> None:
    result = Result("complete", objective=0.7, best_epoch=6, epochs=6)
    view = views.study(views.trial(result=result, state=state), outcome="budget", reason="Spent.")
    message = composed(settings_of(tmp_path), view)
    for kind in ("plain", "html"):
        assert why in body(message, kind)


def test_what_is_no_cnn_is_said_without_trials(tmp_path: Path) -> None:
    view = views.study(outcome="not-a-cnn", reason="cnn.py is no CNN.")
    message = composed(settings_of(tmp_path), view, diff="")
    assert message["Subject"] == "Retune: main@1a2b3c4: not a CNN"
    assert "cnn.py is no CNN." in body(message, "plain")
    assert not [part for part in message.walk() if part.get_content_maintype() == "image"]


def test_nothing_that_others_wrote_becomes_a_header(tmp_path: Path) -> None:
    view = views.study(
        branch="x\r\nBcc: evil@example.net\udce9\x00" + "y" * 500,
        subject="z\nBcc: evil@example.net",
        outcome="error",
    )
    message = composed(settings_of(tmp_path), view, diff="+\udce9\x00")
    assert message["Bcc"] is None
    assert len(message["Subject"]) <= 200


# To whom -----------------------------------------------------------------------------------------


def test_others_are_written_to_within_the_operators_domains(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, mail_domains=["Example.org"])
    study = finished(
        settings,
        wanted_recipients=["b@example.org", "You@example.com", "c@example.net"],
        email="ada@EXAMPLE.ORG",
    )
    assert recipients(study, settings) == ["you@example.com", "b@example.org", "ada@EXAMPLE.ORG"]


@pytest.mark.parametrize(
    "author",
    [
        "x@evil.net, y@example.org",
        "x@evil.net\r\nBcc: z@example.org",
        "<x@evil.net> @example.org",
        "a(b@example.org",
        "ü@example.org",
        "@example.org",
        "",
    ],
)
def test_an_author_who_is_no_plain_address_is_left_out(author: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, mail_domains=["example.org"])
    study = finished(settings, email=author)
    assert recipients(study, settings) == ["you@example.com"]


# Once --------------------------------------------------------------------------------------------


def test_without_a_server_it_lies_in_the_outbox(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    study = finished(settings)
    for _ in range(2):
        send_once(study, settings, diff="")
    [file] = settings.outbox.iterdir()
    assert file.name == "main-1a2b3c4.eml"
    kept = study.get("mail")
    assert (kept["state"], kept["attempts"], kept["to"]) == ("sent", 1, str(file))


def test_without_a_recipient_it_lies_in_the_outbox(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, mail_to=[], smtp_host="127.0.0.1", smtp_port=9)
    send_once(finished(settings), settings, diff="")
    [file] = settings.outbox.iterdir()
    assert message_from_bytes(file.read_bytes())["To"] is None


def test_an_outbox_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    study = finished(settings)
    settings.outbox.write_text("in the way")
    with pytest.raises(MailError, match=r"The mail could not be written to .*outbox"):
        send_once(study, settings, diff="")
    assert study.get("mail")["state"] == "waiting"
    settings.outbox.unlink()
    send_once(study, settings, diff="")
    assert study.get("mail")["state"] == "sent"


# By a real server --------------------------------------------------------------------------------


class Inbox:
    """What the server took, and what it answers first to each recipient or mail."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[str], EmailMessage]] = []
        self.refused: dict[str, str] = {}
        self.answers: list[str] = []
        self.after_data: Callable[[], None] = lambda: None

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.taken.append((list(envelope.rcpt_tos), message))  # type: ignore[arg-type]
        self.after_data()
        return "250 OK"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-made certificate for 127.0.0.1, with its key in the same file."""
    folder = tmp_path_factory.mktemp("certificate")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def serve(certificate: Path) -> Iterator[Callable[..., tuple[Inbox, int]]]:
    """Starts servers; ``security`` and ``login`` as a client has to use them."""
    import ssl

    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

    started: list[Controller] = []

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        known = LoginPassword(b"retune", PASSWORD.encode())
        return AuthResult(success=data == known, handled=False)

    def start(
        security: str = "none", login: bool = False, parting: str | None = None
    ) -> tuple[Inbox, int]:
        trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trust.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        options: dict[str, Any] = {}
        if login:
            options |= {"authenticator": authenticate, "auth_required": True}
            options["auth_require_tls"] = security == "starttls"
        if security == "starttls":
            options |= {"tls_context": trust, "require_starttls": True}

        class Server(SMTP):
            async def smtp_QUIT(self, arg: str) -> None:  # noqa: N802
                if parting is None:
                    return await super().smtp_QUIT(arg)
                await self.push(parting)
                return None

        class Serving(Controller):
            def factory(self) -> SMTP:
                return Server(self.handler, **self.SMTP_kwargs)

        inbox = Inbox()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = Serving(
            inbox,
            hostname="127.0.0.1",
            port=port,
            ssl_context=trust if security == "tls" else None,
            **options,
        )
        started.append(server)
        server.start()
        return inbox, port

    yield start
    for server in started:
        server.stop(no_assert=True)


def at(port: int, home: Path, **changes: Any) -> Settings:
    known = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none"}
    return settings_of(home, **{**known, "smtp_timeout": 5.0, **changes})


def attempt(settings: Settings, **facts: Any) -> tuple[Study, str]:
    """A study whose mail cannot be sent, and the sentence that a user sees."""
    study = finished(settings, **facts)
    with pytest.raises(MailError) as raised:
        send_once(study, settings, diff="")
    sentence = str(raised.value)
    kept = study.get("mail")
    assert (kept["state"], kept["error"]) == ("waiting", sentence)
    assert "\n" not in sentence
    assert PASSWORD not in sentence
    return study, sentence


@pytest.mark.smtp
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_it_goes_over_tls_with_a_login(
    serve: Any, certificate: Path, security: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    inbox, port = serve(security, login=security == "starttls")
    known = {"smtp_user": "retune", "smtp_password": PASSWORD} if security == "starttls" else {}
    settings = at(port, tmp_path, smtp_security=security, **known)
    study = finished(settings)
    for _ in range(3):
        send_once(study, settings, diff="")
    [(to, message)] = inbox.taken
    assert to == ["you@example.com"]
    assert message["Message-ID"] == study.get("mail")["id"]
    assert message["Subject"] == "Retune: main@1a2b3c4: not a CNN"
    assert PASSWORD not in (settings.studies / study.name / notify.MAIL).read_text()


@pytest.mark.smtp
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_nobody_is_not_trusted(serve: Any, security: str, tmp_path: Path) -> None:
    inbox, port = serve(security)
    _, sentence = attempt(at(port, tmp_path, smtp_security=security))
    assert "could not be spoken to safely (CERTIFICATE_VERIFY_FAILED)" in sentence
    assert "SSL_CERT_FILE" in sentence
    assert inbox.taken == []


@pytest.mark.smtp
def test_a_server_without_starttls_is_given_nothing(serve: Any, tmp_path: Path) -> None:
    inbox, port = serve()
    login = {"smtp_user": "retune", "smtp_password": PASSWORD}
    _, sentence = attempt(at(port, tmp_path, smtp_security="starttls", **login))
    assert "does not offer what the settings ask for" in sentence
    assert inbox.taken == []


@pytest.mark.smtp
@pytest.mark.parametrize("password", ["wrong", "wröng"])
def test_a_wrong_login_is_said_without_the_password(
    serve: Any, password: str, tmp_path: Path
) -> None:
    inbox, port = serve(login=True)
    settings = at(port, tmp_path, smtp_user="retune", smtp_password=password)
    study, sentence = attempt(settings)
    assert "correct RETUNE_SMTP" in sentence
    assert "RETUNE_SMTP_PASSWORD" in sentence
    assert password not in sentence
    right = at(port, tmp_path, smtp_user="retune", smtp_password=PASSWORD)
    send_once(study, right, diff="")
    assert len(inbox.taken) == 1
    assert study.get("mail")["attempts"] == 2


@pytest.mark.smtp
def test_a_passing_refusal_is_waited_out(serve: Any, tmp_path: Path) -> None:
    inbox, port = serve()
    inbox.answers = ["451 try later", "452 no room yet"]
    settings = at(port, tmp_path)
    send_once(finished(settings), settings, diff="")
    assert len(inbox.taken) == 1


@pytest.mark.smtp
def test_a_lasting_refusal_is_not_repeated_and_is_watchs(serve: Any, tmp_path: Path) -> None:
    inbox, port = serve()
    inbox.answers = ["554 no such luck", "451 try later", "451 try later", "451 try later"]
    study, sentence = attempt(at(port, tmp_path))
    assert "refused the mail (554 no such luck)" in sentence
    assert len(inbox.answers) == 3
    with pytest.raises(MailError, match="451 try later"):
        send_once(study, at(port, tmp_path), diff="")
    assert inbox.answers == []
    send_once(study, at(port, tmp_path), diff="")
    assert len(inbox.taken) == 1


@pytest.mark.smtp
def test_refused_recipients_can_be_corrected(serve: Any, tmp_path: Path) -> None:
    inbox, port = serve()
    inbox.refused = {"you@example.com": "550 unknown here"}
    study, sentence = attempt(at(port, tmp_path))
    assert "refused every recipient (you@example.com: 550 unknown here)" in sentence
    send_once(study, at(port, tmp_path, mail_to=["me@example.com"]), diff="")
    [(to, message)] = inbox.taken
    assert to == [message["To"]] == ["me@example.com"]


@pytest.mark.smtp
def test_who_took_it_gets_it_once_though_another_was_refused(serve: Any, tmp_path: Path) -> None:
    inbox, port = serve()
    inbox.refused = {"gone@example.com": "550 unknown here"}
    settings = at(port, tmp_path, mail_to=["you@example.com", "gone@example.com"])
    study = finished(settings)
    for _ in range(3):
        send_once(study, settings, diff="")
    assert [to for to, _ in inbox.taken] == [["you@example.com"]]
    assert study.get("mail")["refused"] == {"gone@example.com": "550 unknown here"}


@pytest.mark.smtp
def test_a_bad_parting_does_not_send_it_again(serve: Any, tmp_path: Path) -> None:
    inbox, port = serve(parting="421 too busy")
    settings = at(port, tmp_path)
    study = finished(settings)
    send_once(study, settings, diff="")
    send_once(study, settings, diff="")
    assert len(inbox.taken) == 1


@pytest.mark.smtp
def test_a_server_that_is_away_is_said(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        _, sentence = attempt(at(free.getsockname()[1], tmp_path))
    assert "does not answer ([Errno 111] Connection refused)" in sentence


@pytest.mark.smtp
@pytest.mark.parametrize("host", ["mail.invalid", "a..b"])
def test_a_host_that_is_none_is_said(host: str, tmp_path: Path) -> None:
    _, sentence = attempt(at(25, tmp_path, smtp_host=host))
    assert "RETUNE_SMTP_HOST" in sentence


@pytest.mark.smtp
def test_a_server_that_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        _, sentence = attempt(at(silent.getsockname()[1], tmp_path, smtp_timeout=0.2))
    assert "does not answer" in sentence
    assert "timed out" in sentence
    assert time.monotonic() - began < 5


def _send_in_process(settings: Settings, ready: Any) -> None:
    study = Record(settings.storage_url).open("main-1a2b3c4")
    ready.wait()
    send_once(study, settings, diff="")


@pytest.mark.smtp
@pytest.mark.slow
def test_two_processes_at_once_send_one(serve: Any, tmp_path: Path) -> None:
    inbox, port = serve()
    settings = at(port, tmp_path)
    finished(settings)
    start = multiprocessing.get_context("fork")
    ready = start.Barrier(4)
    running = [start.Process(target=_send_in_process, args=(settings, ready)) for _ in range(4)]
    for each in running:
        each.start()
    for each in running:
        each.join(60)
    assert [each.exitcode for each in running] == [0] * 4
    assert len(inbox.taken) == 1


@pytest.mark.smtp
@pytest.mark.slow
def test_death_while_sending_sends_the_same_again(serve: Any, tmp_path: Path) -> None:
    """Killed after the server has the mail and before it said so: nobody can know."""
    inbox, port = serve()
    settings = at(port, tmp_path)
    study = finished(settings)
    start = multiprocessing.get_context("fork")
    sender = start.Process(target=_send_in_process, args=(settings, start.Barrier(1)))
    killed = threading.Event()

    def kill() -> None:
        if not killed.is_set():
            os.kill(sender.pid or 0, signal.SIGKILL)
            killed.set()

    inbox.after_data = kill
    sender.start()
    sender.join(60)
    assert sender.exitcode == -signal.SIGKILL
    assert study.get("mail")["state"] == "sending"
    send_once(study, settings, diff="")
    send_once(study, settings, diff="")
    first, second = (message for _, message in inbox.taken)
    assert first["Message-ID"] == second["Message-ID"]
    assert first.as_bytes() == second.as_bytes()
    assert study.get("mail")["attempts"] == 2
