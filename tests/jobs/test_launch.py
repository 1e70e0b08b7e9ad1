"""Job 2: what was pushed, its data, its environment, and what cannot be trained."""

import re
from typing import Any

import pytest

from jobs import launch, pull
from jobs.errors import RetuneError
from jobs.scheduler.base import Next
from jobs.study import measured_with

MLP = """\
from tensorflow import keras
model = keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
model.compile(optimizer="adam", loss="mse")
model.fit([[1.0]], [1.0], epochs=2)
"""


def launched(world: Any, files: dict[str, str] | None = None) -> tuple[str, Next | None]:
    step = pull.receive(world.context, world.push(files))
    return step.study, launch.run(world.context, step.study, 0)


def test_what_was_seen_is_said_and_recorded(world: Any) -> None:
    study, step = launched(world)
    assert step == Next("train", study, 0)
    view = world.context.record.open(study).view()
    assert (view.script, view.dataset, view.environment) == ("cnn.py", "animals", "played")
    params = view.trials[0].params
    assert (params["conv1.filters"], params["fit.epochs"], params["fit.batch_size"]) == (16, 3, 8)
    assert "cnn.py is a convolutional network." in "\n".join(world.said)
    assert world.context.record.open(study).get("chance") == 0.5
    assert world.context.record.open(study).get("validation_images") == 8


def test_twice_changes_nothing(world: Any) -> None:
    study, step = launched(world)
    before = world.snapshot(study)
    assert launch.run(world.context, study, 0) == step
    assert world.snapshot(study) == before
    first, second = world.environment.launched
    assert first == second


@pytest.mark.parametrize("copies", [False, True])
def test_a_script_that_fills_its_folders_has_them_where_it_may_write(
    world: Any, copies: bool
) -> None:
    script = world.script.replace('"dataset/', '"/Users/me/pets/')
    if copies:
        script = "import shutil\nshutil.copyfile('/Users/me/all/1.jpg', 'x.jpg')\n" + script
    study, _ = launched(world, {"cnn.py": script})
    specification = world.environment.launched[0]
    assert specification.writable == ("/Users",)
    assert bool(specification.absolute) is not copies
    assert "/Users/me/pets/train" in world.context.record.open(study).get("data")


def test_the_command_line_may_name_the_data(world: Any) -> None:
    script = "import os, sys\nprint(os.listdir(sys.argv[1]))\n" + re.sub(
        r'"dataset/(\w+)"', "sys.argv[1]", world.script
    )
    study, _ = launched(world, {"cnn.py": script, "retune.toml": 'arguments = ["train", "x.h5"]\n'})
    assert world.context.record.open(study).get("data") == {"train": "animals/train"}


def test_the_limits_are_the_operators(world: Any) -> None:
    launched(world)
    limits = world.environment.launched[0].limits
    assert (limits.memory, limits.cpus, limits.processes) == (4 * 1024**3, 2.0, 512)


def test_not_a_cnn_ends_the_study_politely_with_nothing_launched(world: Any) -> None:
    study, step = launched(world, {"mlp.py": MLP})
    view = world.context.record.open(study).view()
    assert step is None
    assert (view.state, view.outcome) == ("finished", "not-a-cnn")
    assert "convolution" in view.reason
    assert world.environment.launched == []
    assert len(world.mails) == 1


def test_the_scripts_wishes_hold_within_the_operators(world: Any) -> None:
    wishes = 'target = 0.7\ntrials = 99\nhold = ["dense1.units"]\n'
    study, _ = launched(world, {"cnn.py": world.script, "retune.toml": wishes})
    recorded = world.context.record.open(study)
    assert (recorded.get("target"), recorded.get("max_trials")) == (0.7, 5)
    assert "dense1.units" in recorded.trial(0).get("held")


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"retune.toml": "imge = 1\n"}, "retune.toml sets imge, which it may not"),
        ({"retune.toml": 'script = "x.py"\n'}, "x.py"),
        (
            {"retune.toml": 'dataset = "birds"\n'},
            "'birds', which there is not; offered are animals",
        ),
        ({"cnn.py": "def f(:\n"}, "cnn.py"),
    ],
)
def test_what_the_pusher_did_wrong_ends_the_study_with_its_sentence(
    world: Any, files: dict[str, str], sentence: str
) -> None:
    study, step = launched(world, {"cnn.py": world.script} | files)
    view = world.context.record.open(study).view()
    assert step is None
    assert view.state == "finished"
    assert sentence in view.reason
    assert len(world.mails) == 1
    assert world.environment.launched == []


def test_a_damaged_image_is_named_and_left_out(world: Any) -> None:
    cats = world.context.settings.datasets / "animals" / "train" / "cats"
    (cats / "broken.png").write_bytes(b"no image")
    study, _ = launched(world)
    notes = "\n".join(world.context.record.open(study).view().notes)
    assert "left out: train/cats/broken.png" in notes
    seen = world.environment.launched[0].data["animals"]
    assert not (seen / "train" / "cats" / "broken.png").exists()


def test_an_engine_that_is_away_is_said_and_can_come_back(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = pull.receive(world.context, world.push())

    def away(_: object) -> None:
        raise RetuneError("The Docker Engine does not answer; start it.")

    with monkeypatch.context() as patched:
        patched.setattr(world.environment, "launch", away)
        with pytest.raises(RetuneError, match="Docker Engine does not answer"):
            launch.run(world.context, step.study, 0)
    assert world.context.record.open(step.study).running
    assert launch.run(world.context, step.study, 0) == Next("train", step.study, 0)


def test_chance_is_to_name_the_commonest_class_alone(world: Any) -> None:
    cats = world.context.settings.datasets / "animals" / "validation" / "cats"
    for place in sorted(cats.iterdir())[1:]:
        place.unlink()
    study, _ = launched(world)
    assert measured_with(world.context.record.open(study).facts()) == {
        "chance": 0.8,
        "validation_images": 5,
    }
