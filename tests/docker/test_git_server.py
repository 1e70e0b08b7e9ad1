"""The git server of compose.yaml, built and asked over HTTP from inside its container."""

import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.errors import ImageNotFound

import docker

ROOT = Path(__file__).resolve().parents[2]
BASE, SECRETS = "retune-base", ("git_password", "retune_token")
PROXIES = [
    each for name in ("http", "https", "no") for each in (f"{name}_proxy", f"{name.upper()}_PROXY")
]

pytestmark = [pytest.mark.docker, pytest.mark.slow]


class Server:
    """A running container of the image of that name."""

    def __init__(self, name: str, secrets: Path) -> None:
        self.name, self.secrets = name, secrets
        self.password = (secrets / "git_password").read_text().strip()

    def run(self, checkout: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """Start one of the image with what compose.yaml mounts."""
        mounts = [f"{self.secrets}/{each}:/run/secrets/{each}:ro" for each in SECRETS]
        mounts.append(f"{checkout}:/retune/.git:ro")
        return subprocess.run(
            [
                *("docker", "run", *options, "--env", "RETUNE_JENKINS_URL=http://127.0.0.1:9"),
                *(part for each in mounts for part in ("--volume", each)),
                self.name,
            ],
            capture_output=True,
            text=True,
            check=False,
        )

    def shell(self, script: str, check: bool = True) -> str:
        """What a script says in the container."""
        done = subprocess.run(
            ["docker", "exec", self.name, "sh", "-euc", script],
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert not check or done.returncode == 0, said
        return said


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    try:
        docker.from_env().images.get(BASE)
    except ImageNotFound:
        reason = f"the image {BASE} is missing: make base-image"
        if os.environ.get("CI"):
            pytest.fail(f"CI has to run this test, but {reason}")
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("git-server")
    subprocess.run(
        [ROOT / "docker" / "make-secrets.sh", folder / "secrets"], check=True, capture_output=True
    )
    subprocess.run(
        ["git", "clone", "--quiet", "--no-hardlinks", ROOT, folder / "retune"], check=True
    )
    # The user git of the container has to get there.
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o755)
    name = f"retune-test-git-{uuid.uuid4().hex[:8]}"
    file = ROOT / "docker" / "git" / "Dockerfile"
    proxies = [part for each in PROXIES if each in os.environ for part in ("--build-arg", each)]
    built = subprocess.run(
        [
            *("docker", "build", "--file", file, "--build-arg", f"BASE={BASE}"),
            *(*proxies, "--tag", name, ROOT),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    running = Server(name, folder / "secrets")
    started = running.run(folder / "retune" / ".git", "--detach", "--name", name)
    assert started.returncode == 0, started.stderr
    try:
        deadline = time.monotonic() + 60
        while "well" not in running.shell("curl -fsS localhost:8080/health", check=False):
            logs = subprocess.run(["docker", "logs", name], capture_output=True, check=False)
            assert time.monotonic() < deadline, logs
            time.sleep(0.2)
        yield running
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True)
        subprocess.run(["docker", "rmi", "--force", name], capture_output=True)


def test_retune_itself_is_there_for_everybody_to_read(server: Server) -> None:
    said = server.shell("git ls-remote http://localhost:8080/retune.git main")
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.split()[0] == head.stdout.strip()


def test_nobody_gets_at_the_models_without_the_password(server: Server) -> None:
    for login in ("", "retune:wrong@"):
        url = f"http://{login}localhost:8080/models.git"
        said = server.shell(f"GIT_TERMINAL_PROMPT=0 git ls-remote {url}", check=False)
        assert "fatal" in said
    # /models.git by another spelling of its address
    for path in ("/%6dodels.git/info/refs", "//models.git/info/refs", "/x/../models.git/info/refs"):
        status = server.shell(
            f"curl -s --path-as-is -o /dev/null -w '%{{http_code}}' 'http://localhost:8080{path}'"
        )
        assert status in ("400", "401", "403", "404"), path


def test_nobody_writes_to_retune_itself(server: Server) -> None:
    said = server.shell(
        "rm -rf /tmp/r && git clone -q http://localhost:8080/retune.git /tmp/r && cd /tmp/r && "
        "GIT_TERMINAL_PROMPT=0 git push origin HEAD:refs/heads/mine",
        check=False,
    )
    assert "fatal" in said


def test_a_push_runs_the_hook_with_its_settings(server: Server) -> None:
    said = server.shell(
        f"rm -rf /tmp/m && git clone -q http://retune:{server.password}@localhost:8080/models.git "
        "/tmp/m && cd /tmp/m && echo 1 >cnn.py && git add cnn.py && "
        "git -c user.name=A -c user.email=a@example.com commit -qm 'Add it' && "
        "git push origin HEAD:main"
    )
    assert "Retune: Jenkins at http://127.0.0.1:9 does not answer" in said
    assert server.password not in said.replace(f"retune:{server.password}@", "")


def test_a_large_push_is_taken(server: Server) -> None:
    """Beyond 1 MiB (http.postBuffer) git sends in chunks, without a length in advance."""
    server.shell(
        f"rm -rf /tmp/l && git clone -q http://retune:{server.password}@localhost:8080/models.git "
        "/tmp/l && cd /tmp/l && head -c 2000000 /dev/urandom >weights.bin && "
        "git add weights.bin && "
        "git -c user.name=A -c user.email=a@example.com commit -qm 'Add weights' && "
        "git push -q origin HEAD:refs/heads/large"
    )
    assert "refs/heads/large" in server.shell("git -C /srv/git/models.git show-ref")


def test_a_checkout_that_cannot_be_served_is_said(server: Server, tmp_path: Path) -> None:
    """Instead of a healthy server from which Jenkins gets nothing."""
    for each in (tmp_path, *tmp_path.parents[:2]):
        each.chmod(0o755)
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{ROOT}", shallow], check=True)
    private = tmp_path / "private"
    subprocess.run(["git", "init", "--quiet", private], check=True)
    (private / ".git").chmod(0o700)
    worktree = tmp_path / "file"
    worktree.write_text("gitdir: /elsewhere\n")
    for checkout, remedy in (
        (shallow / ".git", "git fetch --unshallow"),
        (private / ".git", "chmod -R go+rX .git"),
        (worktree, "start from a git clone"),
    ):
        done = server.run(checkout, "--rm")
        assert done.returncode == 1, done.stderr
        assert remedy in done.stderr


def test_the_hooks_token_is_the_servers_alone(server: Server) -> None:
    said = server.shell("stat -c '%U %a' /srv/git/models.git/retune.config /run/git/users")
    assert said.split("\n")[:2] == ["git 600", "git 600"]
