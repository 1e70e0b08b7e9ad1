"""``python -m jobs webhook``: the address that GitHub, GitLab and Gitea call on a push.

Their payloads fit no parameter of a Jenkins job, and the git plugin's notifyCommit starts the jobs
whose SCM was pushed to, which is Retune's own repository and not that of the model scripts. So this
small receiver stands between: it checks where a call comes from, takes branch and commit out of it,
and triggers job 1 by the scheduler that is set, as ``hooks/post-receive`` does.

- GitHub, Gitea, Forgejo: ``X-Hub-Signature-256``, an HMAC of the body with the secret.
- GitLab: ``X-Gitlab-Token``, the secret itself.

A call that comes twice does no harm: a push that has been seen starts no second study.
"""

import hashlib
import hmac
import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs, urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from jobs.errors import RetuneError
from jobs.repository import OWN_BRANCHES, check_push
from jobs.scheduler.base import Push, Scheduler
from jobs.settings import Settings

LARGEST_BODY = 25 * 1024**2
"""Bytes. GitHub sends no larger ones."""
PATIENCE_SECONDS = 30.0
"""For a caller who stops in the middle of what he says, and for a whole body."""
JENKINS_SECONDS = 8.0
"""For Jenkins, less than the ten seconds that GitHub waits, so that the reason is seen there."""
MOST_BODIES = 16
"""Read at the same time; each may be as long as LARGEST_BODY."""

_HEADS = "refs/heads/"

Environ = Mapping[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


@dataclass(frozen=True)
class Answer:
    """A status, and one sentence for whoever reads the log of deliveries."""

    status: HTTPStatus
    sentence: str


class Refused(Exception):  # noqa: N818
    """A call that is not answered as it wants to be."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.answer = Answer(status, sentence)


class Receiver:
    """A WSGI application. ``repository``: pushes to another one are left alone, where it is a URL.

    ``say`` is told of each call in one line.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        secret: str,
        repository: str | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        if not secret:
            raise RetuneError(
                "The receiver of webhooks needs a secret, the same as in the settings of the git "
                "server; give it in RETUNE_WEBHOOK_SECRET."
            )
        self._scheduler, self._secret, self._say = scheduler, secret.encode(), say
        self._repository = _path(repository)
        self._bodies = threading.BoundedSemaphore(MOST_BODIES)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            answer = self._answer(environ)
        except Refused as error:
            answer = error.answer
        if environ["REQUEST_METHOD"] != "GET":  # that is the health check's, every few seconds
            self._say(f"{answer.status.value} {answer.sentence}")
        body = f"{answer.sentence}\n".encode()
        status = f"{answer.status.value} {answer.status.phrase}"
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
        ]
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "GET, POST"))
        start_response(status, headers)
        return [body]

    def _answer(self, environ: Environ) -> Answer:
        method = environ["REQUEST_METHOD"]
        if method == "GET":
            return Answer(HTTPStatus.OK, "Retune receives webhooks here; send them by POST.")
        if method != "POST":
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "Webhooks are sent by POST.")
        _require_proof(environ)
        # Whoever calls may do so slowly and many times, before it is known who it is.
        if not self._bodies.acquire(blocking=False):
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE, "Too many calls come in at once; send it again."
            )
        try:
            body = _body(environ)
        finally:
            self._bodies.release()
        self._authenticate(environ, body)
        payload = _payload(environ, body)
        event = environ.get("HTTP_X_GITHUB_EVENT") or environ.get("HTTP_X_GITLAB_EVENT") or ""
        if event == "ping":
            return Answer(HTTPStatus.OK, "The webhook is set up as it should be.")
        if event not in ("push", "Push Hook"):
            return Answer(HTTPStatus.OK, f"No push, but {_shown(event)}: nothing to do.")
        return self._receive(payload)

    def _authenticate(self, environ: Environ, body: bytes) -> None:
        """Both comparisons take the same time however much is right."""
        signature = environ.get("HTTP_X_HUB_SIGNATURE_256")
        token = environ.get("HTTP_X_GITLAB_TOKEN")
        if signature is not None:
            wanted = "sha256=" + hmac.new(self._secret, body, hashlib.sha256).hexdigest()
            if not hmac.compare_digest(signature.encode("latin-1"), wanted.encode()):
                raise Refused(
                    HTTPStatus.UNAUTHORIZED,
                    "The signature is not that of RETUNE_WEBHOOK_SECRET; give the webhook the same "
                    "secret.",
                )
        elif token is None or not hmac.compare_digest(token.encode("latin-1"), self._secret):
            raise Refused(
                HTTPStatus.UNAUTHORIZED,
                "The token is not RETUNE_WEBHOOK_SECRET; give the webhook the same secret.",
            )

    def _receive(self, payload: Mapping[str, Any]) -> Answer:
        ref, commit = payload.get("ref"), payload.get("after")
        if not isinstance(ref, str) or not isinstance(commit, str):
            raise Refused(HTTPStatus.BAD_REQUEST, "The push names no ref or no commit.")
        if not ref.startswith(_HEADS):
            return Answer(HTTPStatus.OK, f"{_shown(ref)} is no branch: no study starts.")
        branch = ref.removeprefix(_HEADS)
        if not commit.strip("0"):
            return Answer(HTTPStatus.OK, f"{_shown(branch)} is deleted: no study starts.")
        if branch.startswith(OWN_BRANCHES):
            return Answer(HTTPStatus.OK, "One of Retune's own branches: no study starts.")
        pushed_to = _paths(payload)
        if self._repository and pushed_to and not any(map(self._is_repository, pushed_to)):
            return Answer(
                HTTPStatus.OK,
                f"The push is to {_shown(min(pushed_to))}, not to RETUNE_REPOSITORY: no study "
                "starts.",
            )
        try:
            check_push(branch, commit)
        except RetuneError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from error
        try:
            self._scheduler.receive(Push(branch, commit))
        except RetuneError as error:
            # A server that repeats failed calls may repeat this one.
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
        return Answer(HTTPStatus.ACCEPTED, f"A study starts for {branch}@{commit[:7]}.")

    def _is_repository(self, path: str) -> bool:
        """A git server may be reached below a path of its own: /git/owner/name."""
        return f"/{self._repository}".endswith(f"/{path}")


def _require_proof(environ: Environ) -> None:
    if "HTTP_X_HUB_SIGNATURE_256" not in environ and "HTTP_X_GITLAB_TOKEN" not in environ:
        raise Refused(
            HTTPStatus.UNAUTHORIZED,
            "The call carries no X-Hub-Signature-256 and no X-Gitlab-Token; give the webhook the "
            "secret of RETUNE_WEBHOOK_SECRET.",
        )


def _body(environ: Environ) -> bytes:
    try:
        length = int(environ.get("CONTENT_LENGTH") or "")
    except ValueError:
        raise Refused(HTTPStatus.LENGTH_REQUIRED, "The call does not say how long it is.") from None
    if not 0 <= length <= LARGEST_BODY:
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A call is {LARGEST_BODY} bytes at the most."
        )
    end = time.monotonic() + PATIENCE_SECONDS
    body = bytearray()
    try:
        while len(body) < length:
            # As much as there is: a whole read would wait anew for each byte.
            piece = environ["wsgi.input"].read1(min(length - len(body), 2**16))
            if not piece or time.monotonic() > end:
                raise TimeoutError
            body += piece
    except OSError as error:
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, "The call did not come to its end.") from error
    return bytes(body)


def _payload(environ: Environ, body: bytes) -> Mapping[str, Any]:
    """JSON, or a form with JSON in its field ``payload``."""
    try:
        text = body.decode()
        kind = environ.get("CONTENT_TYPE") or ""
        if kind.partition(";")[0].strip() == "application/x-www-form-urlencoded":
            text = parse_qs(text)["payload"][0]
        found = json.loads(text)
    except (ValueError, KeyError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refused(HTTPStatus.BAD_REQUEST, "The call holds no JSON object.")
    return found


def _paths(payload: Mapping[str, Any]) -> set[str]:
    """What the git server calls the repository, as the ends of its URLs: ``owner/name``."""
    found = set()
    for name in ("repository", "project"):
        facts = payload.get(name)
        if isinstance(facts, dict):
            for key in ("full_name", "path_with_namespace"):
                if isinstance(facts.get(key), str):
                    found.add(facts[key].strip("/").lower())
    return found


def _path(repository: str | None) -> str | None:
    """``owner/name`` of a URL or of ``user@host:owner/name``; None for a path of this machine."""
    if not repository:
        return None
    if "://" in repository:
        parts = urlsplit(repository)
        path = parts.path if parts.scheme != "file" else ""
    else:
        found = re.fullmatch(r"[\w.-]+@[\w.-]+:(.+)", repository)
        path = found.group(1) if found else ""
    return path.strip("/").removesuffix(".git").lower() or None


def _shown(text: str) -> str:
    """Something that came from outside, for one line of a log."""
    return re.sub(r"[^\x20-\x7e]", "?", text)[:80]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = PATIENCE_SECONDS

    def handle(self) -> None:
        # Whoever connects and says nothing, or goes away, is no error of ours.
        with suppress(OSError):
            super().handle()

    def log_message(self, *_: object) -> None:
        """The application says what there is to say."""


def make_receiver(settings: Settings) -> Receiver:
    """The application for these settings. Raises RetuneError where something is not set."""
    from jobs.context import select_scheduler

    secret = settings.webhook_secret
    return Receiver(
        select_scheduler(settings, JENKINS_SECONDS),
        secret.get_secret_value() if secret is not None else "",
        settings.repository,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )


def make_webhook_server(receiver: Receiver, host: str, port: int) -> WSGIServer:
    """Raises RetuneError where the port cannot be listened at. Port 0: a free one."""
    try:
        return make_server(host, port, receiver, server_class=_Server, handler_class=_Handler)
    except (OSError, OverflowError) as error:
        raise RetuneError(
            f"{host}:{port} cannot be listened at ({error}); give another --host or --port."
        ) from error


def webhook(settings: Settings, host: str, port: int) -> int:
    """Receive webhooks until it is interrupted."""
    with make_webhook_server(make_receiver(settings), host, port) as server:
        print(f"Webhooks are received at http://{host}:{server.server_port}/", flush=True)
        server.serve_forever()
    return 0
