"""The receiver of webhooks, called over HTTP as GitHub, Gitea and GitLab call it."""

import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from jobs.errors import RetuneError
from jobs.scheduler.base import Next, Push
from jobs.settings import Settings
from jobs.webhook import LARGEST_BODY, MOST_BODIES, Receiver, make_receiver, make_webhook_server

SECRET = "geheim"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Recorded:
    """A scheduler that keeps what it is told; ``away``: the sentence it fails with."""

    pushes: list[Push] = field(default_factory=list)
    away: str = ""

    def receive(self, push: Push) -> None:
        if self.away:
            raise RetuneError(self.away)
        self.pushes.append(push)

    def trigger(self, step: Next) -> None:
        raise AssertionError("a push triggers no step")

    def busy(self, study: str) -> bool:
        return False

    def stop(self, study: str) -> None:
        raise AssertionError("a push stops nothing by itself")


@dataclass
class Served:
    url: str
    scheduler: Recorded
    said: list[str]

    def github(self, payload: object, event: str = "push", **changes: str) -> requests.Response:
        body = json.dumps(payload).encode()
        return self.post(body, {"X-GitHub-Event": event, **signed(body), **changes})

    def gitlab(self, payload: object, token: str = SECRET) -> requests.Response:
        headers = {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": token}
        return self.post(json.dumps(payload).encode(), headers)

    def connect(self) -> socket.socket:
        port = int(self.url.rstrip("/").rpartition(":")[2])
        return socket.create_connection(("127.0.0.1", port), timeout=20)

    def post(self, body: bytes, headers: dict[str, str]) -> requests.Response:
        return requests.post(self.url, data=body, headers=headers, timeout=20)


def begun(length: str) -> bytes:
    """A call that still owes its body."""
    return f"POST / HTTP/1.0\r\nX-Gitlab-Token: x\r\nContent-Length: {length}\r\n\r\n".encode()


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}"}


def push(ref: str = "refs/heads/main", after: str = COMMIT, **facts: Any) -> dict[str, Any]:
    return {"ref": ref, "after": after, "repository": {"full_name": "ada/cats"}, **facts}


@pytest.fixture
def served() -> Iterator[Served]:
    scheduler, said = Recorded(), list[str]()
    receiver = Receiver(scheduler, SECRET, "https://git.example.com/ada/cats.git", said.append)
    with make_webhook_server(receiver, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield Served(f"http://127.0.0.1:{server.server_port}/", scheduler, said)
        server.shutdown()
        thread.join()


def test_a_push_at_github_starts_a_study(served: Served) -> None:
    answer = served.github(push("refs/heads/feat/ä#1"))
    assert (answer.status_code, answer.text) == (202, "A study starts for feat/ä#1@0123456.\n")
    assert served.scheduler.pushes == [Push("feat/ä#1", COMMIT)]
    assert served.said == ["202 A study starts for feat/ä#1@0123456."]


def test_github_may_send_a_form(served: Served) -> None:
    body = urlencode({"payload": json.dumps(push())}).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded", "X-GitHub-Event": "push"}
    assert served.post(body, {**kind, **signed(body)}).status_code == 202
    assert served.scheduler.pushes == [Push("main", COMMIT)]


def test_a_push_at_gitlab_starts_a_study(served: Served) -> None:
    facts = {"object_kind": "push", "project": {"path_with_namespace": "Ada/Cats"}}
    assert served.gitlab({**push(repository={}), **facts}).status_code == 202
    assert served.scheduler.pushes == [Push("main", COMMIT)]


def test_a_call_from_somebody_else_is_refused(served: Served) -> None:
    body = json.dumps(push()).encode()
    wrong = [
        {"X-GitHub-Event": "push", **signed(body, "something else")},
        {"X-GitHub-Event": "push", **signed(body + b" ")},
        {"X-GitHub-Event": "push", "X-Hub-Signature-256": ""},
        {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": "wrong"},
        # A wrong signature is not mended by a token.
        {"X-GitHub-Event": "push", "X-Hub-Signature-256": "x", "X-Gitlab-Token": SECRET},
        {"X-GitHub-Event": "push"},
    ]
    for headers in wrong:
        answer = served.post(body, headers)
        assert answer.status_code == 401, headers
        assert "RETUNE_WEBHOOK_SECRET" in answer.text
        assert SECRET not in answer.text
    assert served.scheduler.pushes == []


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (push("refs/tags/v1"), "refs/tags/v1 is no branch"),
        (push(after="0" * 40), "main is deleted"),
        (push("refs/heads/retune/main-0123456/3"), "One of Retune's own branches"),
        (push(repository={"full_name": "ada/dogs"}), "The push is to ada/dogs, not to"),
    ],
)
def test_what_starts_no_study_is_said(
    served: Served, payload: dict[str, Any], sentence: str
) -> None:
    answer = served.github(payload)
    assert answer.status_code == 200
    assert sentence in answer.text
    assert served.scheduler.pushes == []


def test_other_events_are_let_pass(served: Served) -> None:
    assert served.github({"zen": "…"}, event="ping").text.startswith("The webhook is set up")
    assert "issues" in served.github({}, event="issues").text
    told = list(served.said)
    assert requests.get(served.url, timeout=20).status_code == 200
    assert served.said == told  # a health check asks every few seconds
    assert served.scheduler.pushes == []


@pytest.mark.parametrize(
    "payload",
    [
        [],
        "push",
        {"ref": "refs/heads/main"},
        {"ref": 1, "after": COMMIT},
        push(after="HEAD"),
        push("refs/heads/--upload-pack=x"),
        push("refs/heads/a b"),
        push("refs/heads/half\ud800"),
    ],
)
def test_a_push_that_is_none_goes_no_further(served: Served, payload: object) -> None:
    assert served.github(payload).status_code == 400
    assert served.scheduler.pushes == []


def test_what_is_no_json_or_no_post_or_too_long_is_refused(served: Served) -> None:
    for body in (b"{", b"\xff", b"[" * 100_000):
        headers = {"X-GitHub-Event": "push", **signed(body)}
        assert served.post(body, headers).status_code == 400
    assert requests.delete(served.url, timeout=20).status_code == 405
    for length, status in ((str(LARGEST_BODY + 1), b"413"), ("-1", b"413"), ("x", b"411")):
        with served.connect() as caller:
            caller.sendall(begun(length))
            assert caller.recv(100).split(b" ")[1] == status


def test_without_a_proof_nothing_of_the_body_is_read(served: Served) -> None:
    with served.connect() as caller:
        caller.sendall(b"POST / HTTP/1.0\r\nContent-Length: 1000\r\n\r\n")
        assert caller.recv(100).split(b" ")[1] == b"401"


def test_a_body_that_drips_comes_to_an_end(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.webhook.PATIENCE_SECONDS", 0.3)
    with served.connect() as caller:
        caller.sendall(begun("1000"))
        caller.settimeout(0.05)
        answer = b""
        for _ in range(200):  # a byte at a time would take ten seconds
            caller.sendall(b"x")
            try:
                answer = caller.recv(100)
                break
            except TimeoutError:
                continue
        assert answer.split(b" ")[1] == b"408"


def test_more_callers_than_are_read_at_once_are_sent_away(served: Served) -> None:
    # One more, since a ping may have the last place when the last of them comes.
    waiting = [served.connect() for _ in range(MOST_BODIES + 1)]
    try:
        for each in waiting:
            each.sendall(begun("10"))
        deadline = time.monotonic() + 20
        while served.github({}, event="ping").status_code != 503:
            assert time.monotonic() < deadline
    finally:
        for each in waiting:
            each.close()
    while served.github({}, event="ping").status_code != 200:
        assert time.monotonic() < deadline


def test_who_says_nothing_leaves_no_traceback(
    served: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("jobs.webhook._Handler.timeout", 0.05)
    with served.connect() as caller:
        assert caller.recv(100) == b""
    assert capsys.readouterr().err == ""
    assert served.said == []


def test_a_scheduler_that_is_away_is_said_to_the_git_server(served: Served) -> None:
    served.scheduler.away = "Jenkins at https://ci.example.com cannot be reached."
    answer = served.github(push())
    assert answer.status_code == 503
    assert answer.text.strip() == served.scheduler.away


@pytest.mark.parametrize(
    ("repository", "starts"),
    [
        ("git@git.example.com:ada/cats.git", True),
        ("https://ada:pw@git.example.com/git/Ada/cats", True),
        ("https://git.example.com/ada/dogs.git", False),
        ("https://git.example.com/canada/cats.git", False),
        ("/srv/git/mirror.git", True),
        ("file:///srv/git/mirror.git", True),
        (None, True),
    ],
)
def test_which_repository_is_meant(repository: str | None, starts: bool) -> None:
    scheduler = Recorded()
    receiver = Receiver(scheduler, SECRET, repository, lambda _: None)
    with make_webhook_server(receiver, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.handle_request, daemon=True)
        thread.start()
        Served(f"http://127.0.0.1:{server.server_port}/", scheduler, []).github(push())
        thread.join()
    assert bool(scheduler.pushes) is starts


def test_without_a_secret_nothing_is_received(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RETUNE_WEBHOOK_SECRET", raising=False)
    with pytest.raises(RetuneError, match="give it in RETUNE_WEBHOOK_SECRET"):
        make_receiver(Settings())


def test_a_jenkins_that_is_silent_is_said_before_github_gives_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobs.webhook.JENKINS_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = Settings(
            scheduler="jenkins",
            jenkins_url=f"http://127.0.0.1:{silent.getsockname()[1]}",
            jenkins_user="hook",
            jenkins_token="t",
            webhook_secret=SECRET,
        )
        with make_webhook_server(make_receiver(settings), "127.0.0.1", 0) as server:
            thread = threading.Thread(target=server.handle_request, daemon=True)
            thread.start()
            served = Served(f"http://127.0.0.1:{server.server_port}/", Recorded(), [])
            answer = served.github(push())
            thread.join()
    assert answer.status_code == 503
    assert "did not answer in time" in answer.text


def test_a_port_that_is_taken_is_one_sentence() -> None:
    receiver = Receiver(Recorded(), SECRET)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RetuneError, match=r"cannot be listened at .*; give another --host"):
            make_webhook_server(receiver, "127.0.0.1", port)
