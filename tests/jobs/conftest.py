"""A remote, a clone and a context whose trainer plays what a test says, without TensorFlow."""

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image

from jobs.context import Context
from jobs.environment.base import Condition, Specification, State
from jobs.environment.spool import Epoch, Request, Result, Spool, write_whole
from jobs.scheduler.base import Next, Push
from jobs.settings import Settings
from jobs.study import Record

SCRIPT = """\
from tensorflow import keras
from tensorflow.keras import layers
from tensorflow.keras.preprocessing.image import ImageDataGenerator

train = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "dataset/train", target_size=(32, 32), batch_size=8, class_mode="binary"
)
validation = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "dataset/validation", target_size=(32, 32), batch_size=8, class_mode="binary"
)

model = keras.Sequential()
model.add(layers.Conv2D(16, (3, 3), activation="relu", input_shape=(32, 32, 3)))
model.add(layers.MaxPooling2D((2, 2)))
model.add(layers.Flatten())
model.add(layers.Dense(32, activation="relu"))
model.add(layers.Dense(1, activation="sigmoid"))
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
model.fit(train, validation_data=validation, epochs=3)
"""

Play = Callable[[Request], tuple[list[float], Result]]


def climbing(request: Request) -> tuple[list[float], Result]:
    """A tenth better with every trial: 0.6, 0.7, 0.8 …"""
    best = round(0.6 + 0.1 * request.trial, 3)
    return [round(best - 0.05, 3), round(best - 0.02, 3), best], Result(
        "complete",
        objective=best,
        objective_name="val_accuracy",
        best_epoch=3,
        epochs=3,
        seconds_in_fit=3.0,
    )


@dataclass
class PlayedEnvironment:
    """Answers each request as ``play`` says, from a thread, by the real spool."""

    home: Path
    play: Play = climbing
    launched: list[Specification] = field(default_factory=list)
    condition: Condition = Condition.ABSENT
    running: dict[str, tuple[threading.Event, threading.Thread]] = field(default_factory=dict)
    deaf: bool = False
    gap: float = 0.0

    def launch(self, specification: Specification) -> State:
        self.launched.append(specification)
        self.condition = Condition.HEALTHY
        if specification.study not in self.running:
            over = threading.Event()
            server = threading.Thread(
                target=self._serve, args=(specification.folder, over), daemon=True
            )
            self.running[specification.study] = over, server
            server.start()
        return self.state(specification.study)

    def _serve(self, folder: Path, over: threading.Event) -> None:
        while not over.wait(0.01):
            for request_file in sorted(folder.glob("trials/*/request.json")):
                spool = Spool(request_file.parent)
                request = spool.request()
                if request is not None and spool.result() is None and not self.deaf:
                    accuracies, result = self.play(request)
                    write_progress(spool, accuracies, self.gap)
                    if result.outcome == "complete":
                        spool.model.write_bytes(b"weights")
                    spool.conclude(result)

    def state(self, study: str) -> State:
        return State(self.condition, f"it is {self.condition.value}")

    def logs(self, study: str, lines: int = 50) -> str:
        return ""

    def remove(self, study: str) -> None:
        if study in self.running:
            over, server = self.running.pop(study)
            over.set()
            # One that still looks around would answer a request made after its end.
            server.join()
        self.condition = Condition.ABSENT

    def studies(self) -> list[str]:
        return list(self.running)

    def describe(self) -> str:
        return "played"


def write_progress(
    spool: Spool,
    accuracies: list[float],
    gap: float = 0.0,
    seconds: float = 1.0,
    epochs: int | None = None,
) -> None:
    """``gap``: by so much the accuracy on the training data is above validation.

    ``seconds`` of each epoch; ``epochs``: planned ones, where there are more to come.
    """
    lines = [
        Epoch(
            epoch=number,
            epochs=epochs or len(accuracies),
            fit=1,
            seconds=seconds,
            logs={"val_accuracy": accuracy},
            loss=1 - accuracy - gap,
            val_loss=1 - accuracy,
            accuracy=accuracy + gap,
            val_accuracy=accuracy,
        ).to_json()
        for number, accuracy in enumerate(accuracies, start=1)
    ]
    write_whole(spool.folder / "progress.jsonl", "".join(f"{line}\n" for line in lines))


@dataclass
class RecordedScheduler:
    """Remembers what it was asked to trigger."""

    triggered: list[Next] = field(default_factory=list)
    received: list[Push] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    is_busy: bool = False
    by_hand: bool = False

    def trigger(self, step: Next) -> None:
        self.triggered.append(step)

    def receive(self, push: Push) -> None:
        self.received.append(push)

    def busy(self, study: str) -> bool:
        return self.is_busy

    def stop(self, study: str) -> None:
        self.stopped.append(study)

    def stopped_by_hand(self, study: str) -> bool:
        return self.by_hand


@dataclass
class World:
    """Everything around a test: a clone to push from, the context, and what was said."""

    clone: Path
    remote: Path
    context: Context
    environment: PlayedEnvironment
    scheduler: RecordedScheduler
    said: list[str]
    script: str = SCRIPT
    pushes: int = 0

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=A. Pusher", "-c", "user.email=a@example.com"]
        done = subprocess.run(
            ["git", *identity, *arguments],
            cwd=self.clone,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def push(self, files: dict[str, str] | None = None, branch: str = "main") -> Push:
        for name, text in (files or {"cnn.py": SCRIPT}).items():
            (self.clone / name).write_text(text)
        self.git("add", "--all")
        self.pushes += 1
        self.git("commit", "--quiet", "--allow-empty", "--message", f"Add model {self.pushes}")
        self.git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return Push(branch, self.git("rev-parse", "HEAD"))

    def branches(self) -> list[str]:
        done = subprocess.run(
            ["git", "for-each-ref", "--format=%(refname:short)", "refs/heads"],
            cwd=self.remote,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.split()

    def snapshot(self, study: str) -> str:
        """All that is recorded of a study, to see that nothing changed."""
        recorded = self.context.record.open(study)
        trials = [(t.number, t.state.name, t.params, t.user_attrs) for t in recorded.frozen()]
        return json.dumps([recorded.facts(), trials], sort_keys=True, default=str)

    @property
    def mails(self) -> list[Path]:
        return sorted(self.context.settings.outbox.glob("*.eml"))


def draw_dataset(folder: Path, each: int = 4) -> None:
    """A few pictures in train and validation, of two classes."""
    for split in ("train", "validation"):
        for shade, name in ((64, "cats"), (192, "dogs")):
            (folder / split / name).mkdir(parents=True)
            for number in range(each):
                picture = Image.new("RGB", (40, 40), (shade, shade, 10 * number))
                picture.save(folder / split / name / f"{name}.{number}.{split}.png")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in [each for each in os.environ if each.startswith("RETUNE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RETUNE_HOME", str(tmp_path / "home"))
    remote, clone = tmp_path / "remote.git", tmp_path / "clone"
    for arguments in (
        ["init", "--quiet", "--bare", "--initial-branch=main", str(remote)],
        ["clone", "--quiet", str(remote), str(clone)],
    ):
        subprocess.run(["git", *arguments], check=True, capture_output=True)
    draw_dataset(tmp_path / "datasets" / "animals")
    settings = Settings(
        home=tmp_path / "home",
        repository=str(remote),
        datasets=tmp_path / "datasets",
        trials=5,
        mail_to=["you@example.com"],
    )
    settings.studies.mkdir(parents=True)
    environment = PlayedEnvironment(settings.home)
    scheduler = RecordedScheduler()
    said: list[str] = []
    context = Context(
        settings, Record(settings.storage_url), environment, scheduler, say=said.append
    )
    yield World(clone, remote, context, environment, scheduler, said)
    for study in environment.studies():
        environment.remove(study)
