"""A live controller and everything around one story on it."""

import os
import random
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image, ImageDraw

from jobs import hooks
from jobs.context import Context, make_context
from jobs.provision import provision
from jobs.scheduler.activity import Build, builds
from jobs.scheduler.controller import Controller
from jobs.settings import Settings
from jobs.study import Study

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 900.0  # the first build on an agent installs the requirements

SCRIPT = """\
from tensorflow import keras
from tensorflow.keras import layers
from tensorflow.keras.preprocessing.image import ImageDataGenerator

train = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "dataset/train", target_size=(24, 24), batch_size=16, class_mode="binary"
)
validation = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "dataset/validation", target_size=(24, 24), batch_size=16, class_mode="binary"
)

model = keras.Sequential()
model.add(layers.Conv2D(4, (3, 3), activation="relu", input_shape=(24, 24, 3)))
model.add(layers.MaxPooling2D((2, 2)))
model.add(layers.Flatten())
model.add(layers.Dense(8, activation="relu"))
model.add(layers.Dense(1, activation="sigmoid"))
optimizer = keras.optimizers.Adam(0.01)
model.compile(optimizer=optimizer, loss="binary_crossentropy", metrics=["accuracy"])
model.fit(train, validation_data=validation, epochs=8)
"""


def java_home() -> str:
    """Debian's groovy looks for Java in a place where only its default one is."""
    java = shutil.which("java")
    return os.environ.get("JAVA_HOME") or (str(Path(java).resolve().parents[1]) if java else "")


def draw_shapes(folder: Path) -> None:
    """Bright circles and dark squares: two classes that a small network learns at once."""
    rng = random.Random(1)
    for split, count in (("train", 48), ("validation", 24)):
        for kind, shade in (("circle", 220), ("square", 30)):
            (folder / split / kind).mkdir(parents=True)
            for number in range(count):
                picture = Image.new("RGB", (32, 32), (128 + rng.randint(-20, 20),) * 3)
                x, y, size = rng.randint(0, 10), rng.randint(0, 10), rng.randint(12, 20)
                draw = ImageDraw.Draw(picture)
                shape = draw.ellipse if kind == "circle" else draw.rectangle
                shape((x, y, x + size, y + size), fill=(shade, shade, shade))
                picture.save(folder / split / kind / f"{number}.png")


def wait_for(condition: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """What the condition gives, once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} seconds"
        time.sleep(0.5)
    return found


@dataclass
class Story:
    """A remote with its hook, a clone, and the jobs in a folder of a live controller."""

    folder: Path
    settings: Settings
    controller: Controller

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    def git(self, *arguments: str, where: Path | None = None) -> str:
        identity = ["-c", "user.name=A. Pusher", "-c", "user.email=a@example.com"]
        done = subprocess.run(
            ["git", *identity, *arguments],
            cwd=where or self.clone,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip() + done.stderr.strip()

    def provision(self, *, dry_run: bool = False, remove: bool = False) -> list[str]:
        """What provision says."""
        said: list[str] = []
        assert provision(self.settings, dry_run=dry_run, remove=remove, say=said.append) == 0
        return said

    def push(self, text: str = SCRIPT, branch: str = "main") -> str:
        """Commit and push a script; gives the name of the study that has to start."""
        (self.clone / "cnn.py").write_text(text)
        # A winner is trained once more, so that there are two trials however well the first does.
        (self.clone / "retune.toml").write_text("confirm = true\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Change the model")
        said = self.git("push", "--force", "origin", f"HEAD:refs/heads/{branch}")
        head = self.git("rev-parse", "HEAD")
        assert f"Retune: study starts for {branch}@{head[:7]}" in said
        return f"{branch}-{head[:7]}"

    @property
    def context(self) -> Context:
        return make_context(self.settings)

    def study(self, name: str) -> Study | None:
        record = self.context.record
        return record.open(name) if name in record.names() else None

    def closed(self, name: str) -> Study:
        """The study, once its end is complete."""

        def ended() -> Study | None:
            study = self.study(name)
            return study if study is not None and study.get("closed") else None

        found = wait_for(ended, f"the end of {name}")
        assert isinstance(found, Study)
        return found

    def builds(self, job: str, study: str) -> list[Build]:
        """The builds of a job for a study, the newest first."""
        return [
            each
            for each in builds(self.controller)
            if each.job == job and study in (each.subject.study, self._started_by(each))
        ]

    def _started_by(self, build: Build) -> str:
        return f"{build.subject.branch}-{build.subject.commit[:7]}"

    def get(self, path: str) -> requests.Response:
        token = self.settings.jenkins_token
        assert token is not None
        return requests.get(
            path if path.startswith("http") else f"{self.controller.url}/{path}",
            auth=(self.controller.user, token.get_secret_value()),
            timeout=30,
        )

    def console(self, build: Build) -> str:
        return self.get(f"{build.url}consoleText").text


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real SMTP server; gives it with its list of messages."""
    smtp = pytest.importorskip("aiosmtpd.controller")

    class Keeper:
        def __init__(self) -> None:
            self.messages: list[bytes] = []
            self.port = 0

        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            self.messages.append(envelope.original_content)
            return "250 kept"

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    keeper = Keeper()
    keeper.port = port
    server = smtp.Controller(keeper, hostname="127.0.0.1", port=port)
    server.start()
    yield keeper
    server.stop()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, mails: Any) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("jenkins")
    patch = pytest.MonkeyPatch()
    for name in [each for each in os.environ if each.startswith("RETUNE_")]:
        patch.delenv(name)
    patch.setenv("RETUNE_HOME", str(folder / "home"))
    draw_shapes(folder / "datasets" / "shapes")
    # What is committed here, under a branch name that is there on a detached head as well.
    subprocess.run(
        ["git", "clone", "--quiet", "--bare", "--no-hardlinks", str(ROOT), str(folder / "scm.git")],
        check=True,
    )
    subprocess.run(
        ["git", "update-ref", "refs/heads/under-test", "HEAD"], cwd=folder / "scm.git", check=True
    )
    settings = Settings(
        home=folder / "home",
        repository=str(folder / "remote.git"),
        datasets=folder / "datasets",
        dataset="shapes",
        target=0.9,
        trials=6,
        scheduler="jenkins",
        smtp_host="127.0.0.1",
        smtp_port=mails.port,
        smtp_security="none",
        mail_to=["you@example.com"],
        jenkins_url=os.environ["JENKINS_URL"],
        jenkins_user=os.environ["JENKINS_USER"],
        jenkins_token=os.environ["JENKINS_TOKEN"],
        jenkins_folder=f"retune-test-{uuid.uuid4().hex[:8]}",
        jenkins_scm_url=(folder / "scm.git").as_uri(),
        jenkins_scm_branch="under-test",
    )
    told = Story(folder, settings, Controller(settings))
    told.git("init", "--quiet", "--bare", "--initial-branch=main", "remote.git", where=folder)
    told.git("clone", "--quiet", "remote.git", "clone", where=folder)
    hooks.install(folder / "remote.git")
    token = settings.jenkins_token
    assert token is not None
    for name, value in {
        "scheduler": "jenkins",
        "jenkins-url": settings.jenkins_url,
        "jenkins-user": settings.jenkins_user,
        "jenkins-token": token.get_secret_value(),
        "jenkins-folder": settings.jenkins_folder,
    }.items():
        told.git("config", f"retune.{name}", str(value), where=folder / "remote.git")
    yield told
    provision(settings, remove=True, say=lambda _: None)
    context = told.context
    for study in context.environment.studies():
        context.environment.remove(study)
    patch.undo()
