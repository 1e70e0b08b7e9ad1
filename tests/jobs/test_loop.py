"""The loop with the real trainer: from a commit to the mail, and through a killed container."""

import email
import email.policy
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs import demo, launch, pull, train, watch
from jobs.chain import run_push
from jobs.environment.select import select_environment
from jobs.errors import RetuneError
from jobs.scheduler.base import Next
from jobs.scheduler.inline import InlineScheduler

ROOT = Path(__file__).parents[2]

SLOW_SCRIPT = """\
import time

from tensorflow import keras
from tensorflow.keras import layers
from tensorflow.keras.preprocessing.image import ImageDataGenerator

train = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "dataset/train", target_size=(32, 32), batch_size=2, class_mode="binary"
)
validation = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "dataset/validation", target_size=(32, 32), batch_size=8, class_mode="binary"
)
model = keras.Sequential()
model.add(layers.Input(shape=(32, 32, 3)))
model.add(layers.Conv2D(4, (3, 3), activation="relu"))
model.add(layers.MaxPooling2D((2, 2)))
model.add(layers.Flatten())
model.add(layers.Dense(1, activation="sigmoid"))
adam = keras.optimizers.Adam(1e-6)
model.compile(optimizer=adam, loss="binary_crossentropy", metrics=["accuracy"])
pause = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: time.sleep(0.25))
model.fit(train, validation_data=validation, epochs=5, callbacks=[pause])
"""


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_container_costs_no_epoch(world: Any, trainer_image: str) -> None:
    import docker

    settings = world.context.settings.model_copy(
        update={"environment": "docker", "image": trainer_image, "target": 1.0}
    )
    context = replace(world.context, settings=settings, environment=select_environment(settings))
    world.scheduler.is_busy = True  # the chain goes on in this test, not by watch
    push = world.push({"cnn.py": SLOW_SCRIPT})
    study = pull.receive(context, push).study
    try:
        assert launch.run(context, study, 0) == Next("train", study, 0)
        done: list[Next | None] = []
        job = threading.Thread(target=lambda: done.append(train.run(context, study, 0)))
        job.start()
        spool = context.spool(study, 0)
        while len(list(spool.epochs())) < 2 and job.is_alive():
            job.join(0.05)
        job.join(0.6)  # into the third epoch
        container = docker.from_env().containers.get(context.environment.state(study).identifier)
        container.kill()
        container.wait()
        watch.run(context)
        job.join(300)
        assert done == [Next("tune", study, 0)]
    finally:
        context.environment.remove(study)
    trial = context.record.open(study).view().trials[0]
    assert trial.state == "complete"
    assert [each.epoch for each in trial.epochs] == [1, 2, 3, 4, 5]
    frozen = context.record.open(study).trial(0).frozen()
    assert sorted(frozen.intermediate_values) == [1, 2, 3, 4, 5]
    assert frozen.value == max(frozen.intermediate_values.values())
    assert len(trial.relaunches) == 1
    assert "after epoch 2" in trial.relaunches[0]
    assert trial.result.resumes == 1
    lines = [each for each in world.said if each.startswith("epoch ")]
    assert [int(re.findall(r"\d+", each)[0]) for each in lines] == [1, 2, 3, 4, 5]


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_on_a_folder_of_ones_own(world: Any, tmp_path: Path) -> None:
    """Hooks, scheduler, environment, trainer, mail and page, as a user starts them.

    The target is one that eight pictures cannot miss: that a harder one is climbed to is for the
    demo itself to show.
    """
    place = tmp_path / "demo"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RETUNE_")}
    command = [sys.executable, "-m", "jobs", "demo", "--folder", str(place), "--target", "0.1"]
    done = subprocess.run(
        [*command, "--data", str(world.context.settings.datasets / "animals")],
        env=clean | {"HOME": str(tmp_path / "empty")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "reached" in done.stdout
    (page,) = place.glob("home/studies/*/report/report.html")
    (mail,) = place.glob("home/outbox/*.eml")
    assert str(page) in done.stdout
    assert str(mail) in done.stdout
    message = email.message_from_bytes(mail.read_bytes(), policy=email.policy.default)
    assert message["Subject"].startswith("Retune: main reached ")
    branches = subprocess.run(
        ["git", "branch", "--list", "--format=%(refname:short)"],
        cwd=place / "remote.git",
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    (best,) = [each for each in branches if each.endswith("/best")]
    assert best in done.stdout


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_real_tweak_inherits_and_is_recorded(world: Any) -> None:
    settings = world.context.settings.model_copy(update={"target": 1.0, "trials": 2})
    scheduler = InlineScheduler(settings.home, sys.executable, ROOT)
    context = replace(
        world.context,
        settings=settings,
        environment=select_environment(settings),
        scheduler=scheduler,
    )
    script = SLOW_SCRIPT.replace("time.sleep(0.25)", "None").replace("Adam(1e-6)", "Adam(1e-2)")
    # It learns, but of the images that it validates on it sees nothing: else so few may all be
    # told apart, and no tweak would follow.
    read = "validation = ImageDataGenerator("
    assert read in script
    files = {
        "cnn.py": script.replace(read, f"{read}preprocessing_function=lambda x: 0 * x, "),
        "retune.toml": 'hold = ["blocks"]\n',  # most of the weights fit another block no more
    }
    run_push(context, world.push(files))
    view = context.record.studies()[0].view()
    assert view.outcome == "budget"
    pushed, tweaked = view.trials
    assert max(each.accuracy for each in pushed.epochs) > 0.6
    assert pushed.state == "complete"
    assert tweaked.state in ("complete", "pruned")
    assert tweaked.result.inherited > 0.5
    assert tweaked.result.seconds_in_fit > 0
    values = context.record.open(view.name).trial(1).get("values")
    assert {name: values[name] for name in tweaked.tweak} == tweaked.tweak
    assert context.environment.studies() == []
    assert len(world.mails) == 1


@pytest.mark.parametrize("classes", [3, 5])
def test_the_demos_script_fits_the_classes_of_ones_own_data(classes: int, tmp_path: Path) -> None:
    for number in range(classes):
        (tmp_path / "mine" / "train" / f"class{number}").mkdir(parents=True)
    text = demo.reference_script(tmp_path)
    compile(text, "cnn.py", "exec")
    assert f'Dense(units={classes}, activation="softmax")' in text
    assert "binary" not in text


def test_data_without_class_folders_is_said(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(RetuneError, match="has no class folders; DATA takes"):
        demo.reference_script(tmp_path)
