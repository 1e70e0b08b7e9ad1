"""Trials from request to result."""

import zipfile
from pathlib import Path
from typing import Any

import pytest
from tiny import DATA, FIT, MODEL, SLOW, wait

from jobs.environment.spool import Spool

pytestmark = pytest.mark.tensorflow

ENDLESS = """
model.fit(
    x[:64], y[:64], epochs=1000, validation_data=(x[64:], y[64:]), callbacks=[Slow()], verbose=0
)
"""


def console(spool: Spool) -> str:
    return spool.console.read_text()


def test_a_script_is_trained_unmodified(study):
    result, spool = study.run(DATA + MODEL + FIT + "print('ended')\n")
    assert (result.outcome, result.failure, result.reason) == ("complete", None, None)
    found = list(spool.epochs())
    assert [(each.fit, each.epoch, each.epochs) for each in found] == [
        (1, 1, 3),
        (1, 2, 3),
        (1, 3, 3),
    ]
    best = max(found, key=lambda each: (each.val_accuracy, -each.epoch))
    assert result.objective == best.val_accuracy == best.logs["val_accuracy"]
    assert (result.best_epoch, result.loss) == (best.epoch, best.val_loss)
    assert result.objective_name == "val_accuracy"
    assert found[0].learning_rate == pytest.approx(0.001)
    assert result.epochs == 3
    assert result.parameters == 4 * 28 + 2 * 145
    assert set(result.versions) == {"python", "tensorflow", "keras", "numpy"}
    assert result.seconds_in_fit >= sum(each.seconds for each in found) > 0
    assert zipfile.is_zipfile(spool.model)
    lines = [line for line in console(spool).splitlines() if line.startswith("Epoch")]
    assert len(lines) == 3
    assert console(spool).endswith("ended\n")
    assert "\b" not in console(spool)


def test_fit_ends_at_the_target_and_the_script_goes_on(study):
    script = DATA + MODEL + FIT.replace("epochs=3", "epochs=500") + "print(len(history.epoch))\n"
    result, spool = study.run(script, target=0.8)
    assert result.outcome == "complete"
    assert result.objective >= 0.8
    reached = [each.val_accuracy >= 0.8 for each in spool.epochs()]
    assert reached == [False] * (len(reached) - 1) + [True]
    assert console(spool).endswith(f"{len(reached)}\n")


def test_stop_ends_the_trial_and_a_reopened_one_goes_on(study):
    spool = study.submit(DATA + MODEL + SLOW + ENDLESS)
    wait(lambda: len(list(spool.epochs())) >= 2)
    spool.stop("pruned: others are better")
    stopped = study.result(spool)
    assert (stopped.outcome, stopped.reason) == ("stopped", "pruned: others are better")
    assert stopped.failure is None
    assert stopped.objective is not None
    assert zipfile.is_zipfile(spool.model)
    before = [each.epoch for each in spool.epochs()]
    assert before == list(range(1, len(before) + 1))
    spool.reopen()
    wait(lambda: len(list(spool.epochs())) > len(before))
    spool.stop("enough")
    again = study.result(spool)
    after = [each.epoch for each in spool.epochs()]
    assert after == list(range(1, len(after) + 1))
    assert len(after) > len(before)
    assert again.resumes == 1
    assert again.seconds_in_fit > stopped.seconds_in_fit


def test_stop_outside_of_fit_ends_the_trial_as_well(study):
    spool = study.submit("import time\nprint('waiting')\ntime.sleep(600)\n")
    wait(lambda: spool.console.exists() and "waiting" in console(spool))
    spool.stop("not wanted any more")
    assert study.result(spool).outcome == "stopped"


FAILURES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "an exception": (
        DATA + "print('before')\nmodel = undefined\n",
        {},
        "script-error",
        "NameError: name 'undefined' is not defined (cnn.py, line 10)",
    ),
    "a syntax error": ("x = (\n", {}, "script-error", "SyntaxError: '(' was never closed"),
    "a module that is missing": (
        "import torch_like_thing\n",
        {},
        "script-error",
        "The script imports torch_like_thing, which the environment does not have",
    ),
    "data that is missing": (
        "open('dataset/train.csv')\n",
        {},
        "script-error",
        "No such file or directory: 'dataset/train.csv'",
    ),
    "a question": ("name = input('Epochs? ')\n", {}, "script-error", "asks for input ('Epochs?')"),
    "no fit": ("print('helpers only')\n", {}, "no-fit", "without a call of Keras' `fit`"),
    "a loop of its own": (
        DATA + "import tensorflow as tf\nwith tf.GradientTape() as tape:\n    pass\n",
        {},
        "no-fit",
        "put the step into `train_step`",
    ),
    "NaN": (
        DATA
        + MODEL.replace('"adam"', "keras.optimizers.SGD(1e30)")
        + FIT.replace("epochs=3", "epochs=50"),
        {},
        "nan",
        "The loss became NaN in epoch",
    ),
    "a MemoryError": ("raise MemoryError\n", {}, "out-of-memory", "smaller batch size"),
    "an exhausted resource": (
        "import tensorflow as tf\nraise tf.errors.ResourceExhaustedError(None, None, 'full')\n",
        {},
        "out-of-memory",
        "smaller batch size",
    ),
    "a limit of time": ("while True:\n    pass\n", {"seconds": 1.0}, "time-limit", "limit of 1 s"),
    "a kill from outside": (
        "import os, subprocess\nsubprocess.run(f'kill -9 {os.getpid()}', shell=True)\n",
        {},
        "killed",
        "ended from outside (SIGKILL)",
    ),
    "a crash": ("import os\nos.abort()\n", {}, "script-error", "crashed (SIGABRT)"),
    "an exit of the process": ("import os\nos._exit(3)\n", {}, "script-error", "exit code 3"),
    "sys.exit": ("import sys\nsys.exit('no data')\n", {}, "script-error", "sys.exit: no data"),
    "sys.exit(0) without a fit": ("import sys\nsys.exit(0)\n", {}, "no-fit", "`fit`"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failures_are_told_apart_and_said(name, study):
    script, request, failure, reason = FAILURES[name]
    result, _ = study.run(script, **request)
    assert (result.outcome, result.failure) == ("failed", failure)
    assert reason in result.reason


def test_a_traceback_shows_the_script_alone(study):
    result, spool = study.run("def f():\n    raise ValueError('bad')\n\nf()\n")
    assert result.reason == "ValueError: bad (cnn.py, line 2)"
    assert "Traceback" in console(spool)
    assert "docker/trainer" not in console(spool)


def test_a_failure_keeps_what_was_trained(study):
    script = DATA + MODEL + FIT + "model.fitness\n" + FIT
    result, spool = study.run(script)
    assert result.failure == "script-error"
    assert result.objective is not None
    assert zipfile.is_zipfile(spool.model)
    assert len(list(spool.epochs())) == 3


def test_a_script_that_fails_after_its_last_fit_has_trained(study):
    result, _ = study.run(DATA + MODEL + FIT + "1 / 0\n")
    assert result.outcome == "complete"
    (note,) = result.notes
    assert note.startswith("After its training the script failed: ZeroDivisionError")
    assert note.endswith("(cnn.py, line 21)")


def test_sys_exit_after_fit_is_a_complete_trial(study):
    result, _ = study.run(DATA + MODEL + FIT + "import sys\nsys.exit(0)\n")
    assert result.outcome == "complete"


def test_a_script_that_catches_everything_is_ended_all_the_same(study):
    script = DATA + MODEL.replace('"adam"', "keras.optimizers.SGD(1e30)")
    loop = "while True:\n    try:\n        model.fit(x, y, epochs=9, validation_split=0.2)\n"
    result, _ = study.run(script + loop + "    except BaseException:\n        pass\n")
    assert result.failure == "nan"


def test_an_accuracy_is_added_where_none_is_measured(study):
    script = DATA + MODEL.replace(', metrics=["accuracy"]', "")
    result, spool = study.run(
        script + FIT + "print('evaluated', model.evaluate(x[80:], y[80:]) > 0)\n"
    )
    assert result.outcome == "complete"
    assert result.objective is not None
    assert "the metric 'accuracy' was added" in result.notes[0]
    assert "evaluated True" in console(spool)


@pytest.mark.parametrize(
    ("metrics", "name"),
    [
        ('"acc"', "val_acc"),
        ('"sparse_categorical_accuracy"', "val_sparse_categorical_accuracy"),
        ('keras.metrics.SparseCategoricalAccuracy(name="my_accuracy")', "val_my_accuracy"),
        ('"sparse_top_k_categorical_accuracy", "accuracy"', "val_accuracy"),
    ],
)
def test_the_accuracy_is_found_under_any_name(metrics, name, study):
    result, spool = study.run(DATA + MODEL.replace('"accuracy"', metrics) + FIT)
    assert result.objective_name == name
    assert next(spool.epochs()).accuracy is not None


def test_the_test_accuracy_is_that_of_other_data(study):
    evaluated = "print(model.evaluate(x[80:], y[80:]))\nmodel.evaluate(x[64:80], y[64:80])\n"
    result, _ = study.run(DATA + MODEL + FIT + evaluated)
    assert result.test_accuracy is not None
    result, _ = study.run(DATA + MODEL + FIT + "model.evaluate(x[64:80], y[64:80])\n")
    assert result.test_accuracy is None
    result, _ = study.run(
        DATA + MODEL + FIT + "model.evaluate(x[80:90], y[80:90])\nmodel.evaluate(x[90:], y[90:])\n"
    )
    assert result.test_accuracy is None


def test_a_child_begins_with_its_parents_weights(study):
    _, parent = study.run(DATA + MODEL + FIT)
    number = int(parent.folder.name)
    wider = MODEL.replace("Conv2D(4", "Conv2D(6")
    result, spool = study.run(DATA + wider + FIT.replace("epochs=3", "epochs=1"), inherit=number)
    assert result.outcome == "complete"
    assert result.inherited == pytest.approx(1.0)
    assert "4 filters widened to 6" in result.inheritance[0]
    # It goes on from where the parent's best epoch was, and does not begin anew.
    assert next(spool.epochs()).loss < next(parent.epochs()).loss


def test_a_child_with_its_parents_weights_trains_on_as_if_it_had_not_been_interrupted(study):
    def script(epochs: int, optimizer: str = '"adam"') -> str:
        fit = FIT.replace("epochs=3", f"epochs={epochs}, shuffle=False")
        return DATA + MODEL.replace('"adam"', optimizer) + fit

    _, parent = study.run(script(1))
    _, in_one = study.run(script(2))
    uninterrupted = [each.loss for each in in_one.epochs()][1]
    number = int(parent.folder.name)
    result, child = study.run(script(1), inherit=number)
    assert next(child.epochs()).loss == pytest.approx(uninterrupted, abs=1e-5)
    assert result.inheritance[-1] == "adam: goes on with its moments."
    # Smaller steps are the child's own; with another optimizer there is nothing to go on with.
    slower, _ = study.run(script(1, "keras.optimizers.Adam(1e-4)"), inherit=number)
    assert slower.inheritance[-1] == "adam: goes on with its moments."
    other, _ = study.run(script(1, '"rmsprop"'), inherit=number)
    assert not any("moments" in each for each in other.inheritance)


def test_an_optimizer_goes_on_in_part_where_some_weights_changed(study):
    _, parent = study.run(DATA + MODEL + FIT)
    wider = MODEL.replace("Conv2D(4", "Conv2D(6")
    result, _ = study.run(DATA + wider + FIT, inherit=int(parent.folder.name))
    assert result.inherited == pytest.approx(1.0)
    # The bias of the last layer: all else is wider, or sees more.
    assert result.inheritance[-1] == "adam: goes on with the moments of 1 unchanged weight."


def test_an_optimizer_begins_anew_where_its_rate_follows_its_steps(study):
    _, parent = study.run(DATA + MODEL + FIT)
    decaying = MODEL.replace(
        '"adam"', "keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(1e-3, 9, 0.5))"
    )
    result, _ = study.run(DATA + decaying + FIT, inherit=int(parent.folder.name))
    assert result.inherited == pytest.approx(1.0)
    assert not any("moments" in each for each in result.inheritance)


def test_only_the_first_training_inherits(study):
    _, parent = study.run(DATA + MODEL + FIT)
    script = DATA + MODEL + FIT + FIT
    result, spool = study.run(script, inherit=int(parent.folder.name))
    assert result.outcome == "complete"
    losses = [each.loss for each in spool.epochs()]
    assert len(losses) == 6
    # The second one goes on from the first, and not from the parent once more.
    assert losses[3] < losses[2]
    assert spool.console.read_text().count("Inherited") == 1


SUBCLASSED = """
class Network(keras.Model):
    def __init__(self):
        super().__init__()
        self.convolution = layers.Conv2D(4, 3, activation="relu")
        self.flatten = layers.Flatten()
        self.hidden = layers.Dense(6, activation="relu")
        self.out = layers.Dense(2, activation="softmax")

    def call(self, x):
        return self.out(self.hidden(self.flatten(self.convolution(x))))

model = Network()
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
"""


def test_a_subclassed_model_is_trained_with_a_parent_or_without(study):
    result, parent = study.run(DATA + SUBCLASSED + FIT)
    assert result.outcome == "complete", result.reason
    wider = SUBCLASSED.replace("Dense(6", "Dense(8")
    result, _ = study.run(DATA + wider + FIT, inherit=int(parent.folder.name))
    assert result.outcome == "complete", result.reason
    # Keras may refuse to write the weights of one before its first step: then it begins anew.
    assert result.inheritance or "Nothing was inherited" in result.notes[0]


def test_a_parent_without_a_model_is_noted(study):
    result, _ = study.run(DATA + MODEL + FIT, inherit=4711)
    assert result.outcome == "complete"
    assert result.inherited == 0.0
    assert result.notes[0].startswith("Nothing was inherited from trial 4711")


def test_a_damaged_request_is_answered(study):
    folder = study.folder / "trials" / "9000"
    folder.mkdir()
    (folder / ".request.json").write_text("{")
    (folder / ".request.json").rename(folder / "request.json")
    result = study.result(Spool(folder))
    assert result.failure == "script-error"
    assert "The request is damaged" in result.reason


def test_what_a_script_leaves_running_ends_with_it(study):
    script = """
        import subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        open("pid", "w").write(str(child.pid))
    """
    _, spool = study.run(script)
    pid = int((spool.folder / "work" / "pid").read_text())
    wait(lambda: not Path(f"/proc/{pid}").exists())


def test_steps_are_counted_where_the_data_do_not_say_how_many_there_are(study):
    script = """
import tensorflow as tf
data = tf.data.Dataset.from_tensor_slices((x[:64], y[:64])).batch(16).unbatch().batch(8)
model.fit(data, epochs=2, validation_data=(x[64:], y[64:]))
"""
    result, _ = study.run(DATA + MODEL + script)
    assert result.outcome == "complete", result.reason
    assert result.steps == 8
