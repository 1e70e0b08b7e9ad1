"""A bare remote and a clone with nothing of this machine's git configuration."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Git:
    """git in one folder; ``environment`` is all that it and its hooks know."""

    folder: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str) -> str:
        return self.run(*arguments).stdout.strip()

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=self.environment,
            check=check,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def at(self, folder: Path) -> "Git":
        return Git(folder, self.environment)

    def commit(self, name: str = "cnn.py", text: str = "model = 1\n") -> str:
        """Commit a file; gives all that git and the hooks said."""
        (self.folder / name).write_text(text)
        self("add", name)
        done = self.run("commit", "--message", f"Change {name}")
        return done.stdout + done.stderr

    @property
    def head(self) -> str:
        return self("rev-parse", "HEAD")


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """git in the clone of a bare remote, ``tmp_path / "remote.git"``."""
    home = tmp_path / "user"
    home.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "A. Pusher",
        "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "A. Pusher",
        "GIT_COMMITTER_EMAIL": "a@example.com",
    }
    for name in [each for each in os.environ if each.startswith(("RETUNE_", "GIT_"))]:
        monkeypatch.delenv(name)
    for name in ("HOME", "GIT_CONFIG_NOSYSTEM"):
        monkeypatch.setenv(name, environment[name])
    here = Git(tmp_path, environment)
    here("init", "--quiet", "--bare", "--initial-branch=main", "remote.git")
    here("clone", "--quiet", "remote.git", "clone")
    clone = here.at(tmp_path / "clone")
    clone("checkout", "--quiet", "-B", "main")
    return clone


@pytest.fixture
def remote(git: Git, tmp_path: Path) -> Git:
    return git.at(tmp_path / "remote.git")


@dataclass
class Call:
    """One POST that the receiver got."""

    path: str
    login: str
    branch: str
    commit: str


@dataclass
class Receiver:
    """Answers as Jenkins answers ``buildWithParameters``, with ``status`` after ``delay``."""

    url: str = ""
    status: list[int] = field(default_factory=lambda: [201])
    delay: float = 0.0
    calls: list[Call] = field(default_factory=list)


@contextmanager
def receiver() -> Iterator[Receiver]:
    answers = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            fields = parse_qs(urlsplit(self.path).query) | parse_qs(body)
            answers.calls.append(
                Call(
                    urlsplit(self.path).path,
                    self.headers.get("Authorization", ""),
                    fields["BRANCH"][0],
                    fields["COMMIT"][0],
                )
            )
            time.sleep(answers.delay)
            status = answers.status.pop(0) if len(answers.status) > 1 else answers.status[0]
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    answers.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield answers
    finally:
        server.shutdown()
        server.server_close()
