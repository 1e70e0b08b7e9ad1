"""The real trainer: a trial survives the death of its environment, whichever it is."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import docker
from jobs.environment.base import Condition, Environment, Limits, Specification
from jobs.environment.docker import DockerEnvironment
from jobs.environment.process import ProcessEnvironment
from jobs.environment.spool import Request, Result, Spool

pytestmark = pytest.mark.slow

in_docker = pytest.param("docker", marks=pytest.mark.docker)
in_process = pytest.param("process", marks=pytest.mark.tensorflow)

EPOCHS = 5
TRAINING = f"""\
import numpy as np
from tensorflow import keras

images = np.random.rand(1600, 24, 24, 3).astype("float32")
labels = np.random.randint(0, 2, (1600, 1))
model = keras.Sequential([
    keras.Input((24, 24, 3)),
    keras.layers.Conv2D(16, 3, activation="relu"),
    keras.layers.MaxPooling2D(),
    keras.layers.Conv2D(32, 3, activation="relu"),
    keras.layers.Flatten(),
    keras.layers.Dense(1, activation="sigmoid"),
])
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
model.fit(images, labels, validation_split=0.2, batch_size=8, epochs={EPOCHS})
"""
GREEDY = """\
held = []
while True:
    held.append(bytearray(b"x") * 50_000_000)
"""


@pytest.fixture
def environment(request, home: Path, trainer_image: str) -> Iterator[Environment]:
    made: Environment
    if request.param == "docker":
        made = DockerEnvironment(home, image=trainer_image)
    else:
        made = ProcessEnvironment(home)
    yield made
    for study in made.studies():
        made.remove(study)


@pytest.fixture
def specification(specify) -> Specification:
    limits = Limits(memory=2 * 2**30, cpus=2.0, processes=256, shared_memory=64 * 2**20)
    return specify(limits=limits, data={})


def submit(specification: Specification, trial: int, script: str) -> Spool:
    file = specification.source / str(trial) / "cnn.py"
    file.parent.mkdir(parents=True)
    file.write_text(script)
    spool = Spool.of(specification.folder, trial)
    spool.submit(Request(study=specification.study, trial=trial, script="cnn.py"))
    return spool


def finish(spool: Spool, wait) -> Result:
    result = wait(spool.result, seconds=240)
    assert isinstance(result, Result)
    return result


def kill(environment: Environment, study: str) -> None:
    identifier = environment.state(study).identifier
    assert identifier is not None
    if isinstance(environment, DockerEnvironment):
        docker.from_env().containers.get(identifier).kill()
    else:
        os.kill(int(identifier), signal.SIGKILL)


@pytest.mark.parametrize("environment", [in_docker, in_process], indirect=True)
def test_a_trial_goes_on_where_a_killed_environment_left_it(environment, specification, wait):
    environment.launch(specification)
    spool = submit(specification, 0, TRAINING)
    wait(lambda: len(list(spool.epochs())) >= 2, seconds=240)
    kill(environment, specification.study)
    wait(lambda: environment.state(specification.study).condition is Condition.DEAD)
    environment.launch(specification)
    assert len(list(spool.epochs())) < EPOCHS
    result = finish(spool, wait)
    assert (result.outcome, result.reason) == ("complete", None)
    assert [epoch.epoch for epoch in spool.epochs()] == list(range(1, EPOCHS + 1))
    assert result.resumes == 1
    assert result.objective is not None
    assert spool.model.is_file()


@pytest.mark.parametrize("environment", [in_docker], indirect=True)
def test_a_script_at_the_memory_limit_ends_alone(environment, specification, wait):
    environment.launch(specification)
    result = finish(submit(specification, 0, GREEDY), wait)
    assert (result.outcome, result.failure) == ("failed", "out-of-memory")
    assert environment.state(specification.study).condition is Condition.HEALTHY
    identifier = environment.state(specification.study).identifier
    assert finish(submit(specification, 1, TRAINING), wait).outcome == "complete"
    assert environment.state(specification.study).identifier == identifier
