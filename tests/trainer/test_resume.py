"""Trainers that are killed at any moment, and what the next one makes of it."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tiny import DATA, DOCKER, MODEL, SLOW, epochs, evaluated, read_json, run_apart, wait

from jobs.environment.spool import Epoch

pytestmark = pytest.mark.tensorflow

# Two trainings in one script, callbacks with a memory, and all that it saw in a file at the end.
TWICE = """
import json

early = keras.callbacks.EarlyStopping(monitor="loss", patience=3, min_delta=10.0)
plateau = keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1, min_delta=10.0, factor=0.5)
given = dict(validation_data=(x[64:], y[64:]), shuffle=False, verbose=0, batch_size=8)
first = model.fit(x[:64], y[:64], epochs=9, callbacks=[Slow(), plateau, early], **given)
model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
second = model.fit(x[:64], y[:64], epochs=6, callbacks=[Slow()], **given)
weights = [value.tolist() for value in model.get_weights()]
json.dump([first.history, second.history, second.epoch, weights], open("seen.json", "w"))
"""
SCRIPT = DATA + MODEL + SLOW + TWICE


def test_killed_at_random_moments_every_epoch_stands_once(own_study):
    seed = random.randrange(10**6)
    dice = random.Random(seed)
    print(f"seed {seed}")
    own_study.start()
    whole, undisturbed = own_study.run(SCRIPT)
    assert whole.outcome == "complete"
    planned = epochs(undisturbed)
    # ``min_delta`` lets nothing count as progress: the first fit ends early, after four epochs.
    assert planned == [(1, epoch) for epoch in range(1, 5)] + [(2, epoch) for epoch in range(1, 7)]

    spool = own_study.submit(SCRIPT)
    wait(lambda: spool.console.exists())
    kills = 0
    while kills < 7 and spool.result() is None:
        time.sleep(dice.uniform(0.0, 2.0))
        own_study.kill()
        kills += 1
        assert epochs(spool) == planned[: len(epochs(spool))]
        own_study.start()
    result = own_study.result(spool)
    assert result.outcome == "complete", result.reason
    assert epochs(spool) == planned
    assert 0 < result.resumes <= kills

    first, second, numbers, weights = read_json(spool, "seen.json")
    expected = read_json(undisturbed, "seen.json")
    assert numbers == list(range(6))
    for history, other in ((first, expected[0]), (second, expected[1])):
        assert history.keys() == other.keys()
        for name in history:
            np.testing.assert_allclose(history[name], other[name], rtol=1e-3, err_msg=name)
    for ours, theirs in zip(weights, expected[3], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
    assert result.objective == pytest.approx(whole.objective)
    assert result.best_epoch == whole.best_epoch
    rates = [each.learning_rate for each in spool.epochs()]
    assert rates == pytest.approx([each.learning_rate for each in undisturbed.epochs()])


def test_early_stopping_goes_on_counting(own_study):
    own_study.start()
    _, spool = own_study.run_killed(SCRIPT, after=2, before=4)
    assert [number for number in epochs(spool) if number[0] == 1] == [(1, n) for n in range(1, 5)]


# From the fourth epoch on all weights are 0, as a callback leaves them.
SPOILT = """
import json

class Spoil(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.spoils:
            self.model.set_weights([0 * each for each in self.model.get_weights()])

    def on_epoch_begin(self, epoch, logs=None):
        self.spoils = epoch >= 3

given = dict(validation_data=(x[64:], y[64:]), batch_size=8, verbose=0)
model.fit(x[:64], y[:64], epochs=8, callbacks=[Slow(), Spoil()], **given)
json.dump(model.evaluate(x[64:], y[64:], verbose=0), open("seen.json", "w"))
"""


def test_the_model_is_that_of_the_best_epoch_whatever_comes_after_it(own_study):
    own_study.start()
    quick = MODEL.replace('"adam"', "keras.optimizers.Adam(0.01)")
    result, spool = own_study.run_killed(DATA + quick + SLOW + SPOILT, after=5, before=8)
    assert result.best_epoch <= 3
    _, accuracy = evaluated(spool)
    assert accuracy == pytest.approx(result.objective)
    *_, last = spool.epochs()
    assert read_json(spool, "seen.json") == pytest.approx([last.val_loss, last.val_accuracy])


KEPT = """
import sys
from pathlib import Path
from trainer import follower, hooks
from trainer.session import Session
from trainer.spool import Request, Trial

folder = Path(sys.argv[1])
trial = Trial(folder / "0")
trial.checkpoint.mkdir(parents=True)
follower.KEPT_SECONDS = float(sys.argv[2])
hooks.install(Session(trial, Request(study="s", trial=0, script="cnn.py"), folder, 0.0))
seen = []

class Look(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        seen.append(trial.model.exists())

model.fit(x[:64], y[:64], epochs=3, validation_data=(x[64:], y[64:]), callbacks=[Look()])
assert trial.model.exists()
assert seen == [False, *2 * [follower.KEPT_SECONDS == 0]], seen
"""


@pytest.mark.parametrize("seconds", [0, 600])
def test_a_long_training_saves_its_model_before_it_is_over(tmp_path, seconds):
    run_apart(DATA + MODEL + KEPT, str(tmp_path), str(seconds))


BEGUN_TWICE = """
import os

class Fail(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        if os.path.exists("begun"):
            raise RuntimeError("once more")
        open("begun", "w").close()

model.fit(x[:64], y[:64], epochs=40, validation_data=(x[64:], y[64:]), callbacks=[Fail(), Slow()])
"""


def test_the_model_is_kept_where_a_relaunched_script_fails_before_its_training(own_study):
    own_study.start()
    spool = own_study.submit(DATA + MODEL + SLOW + BEGUN_TWICE)
    wait(lambda: len(epochs(spool)) >= 2)
    own_study.kill()
    assert not spool.model.exists()
    own_study.start()
    result = own_study.result(spool)
    assert result.failure == "script-error"
    assert "once more" in result.reason
    assert not any("nothing can inherit" in each for each in result.notes)
    assert spool.model.exists()


ENDLESS = """
model.fit(x[:64], y[:64], epochs=500, validation_data=(x[64:], y[64:]), callbacks=[Slow()])
"""


def test_sigterm_ends_trainer_and_trial_without_a_result(own_study):
    own_study.start()
    spool = own_study.submit(DATA + MODEL + SLOW + ENDLESS)
    wait(lambda: len(epochs(spool)) >= 2)
    log = (own_study.folder / "server.log").read_text()
    child = int(log.split("runs in process ")[1].split()[0])
    began = time.monotonic()
    own_study.kill(signal.SIGTERM)
    assert time.monotonic() - began < 5.0
    wait(lambda: not Path(f"/proc/{child}").exists())
    assert spool.result() is None
    before = len(epochs(spool))
    own_study.start()
    wait(lambda: len(epochs(spool)) > before)
    assert epochs(spool) == [(1, number + 1) for number in range(len(epochs(spool)))]
    assert "going on from its checkpoint" in spool.console.read_text()


def test_a_trial_does_not_outlive_a_killed_trainer(own_study):
    own_study.start()
    spool = own_study.submit("import time\nprint('waits', flush=True)\ntime.sleep(600)\n")
    wait(lambda: spool.console.exists() and "waits" in spool.console.read_text())
    log = (own_study.folder / "server.log").read_text()
    child = int(log.split("runs in process ")[1].split()[0])
    own_study.kill()
    wait(lambda: not Path(f"/proc/{child}").exists())


def test_the_limit_of_time_holds_over_all_runs(own_study):
    own_study.start()
    spool = own_study.submit(DATA + MODEL + SLOW + ENDLESS, seconds=8.0)
    wait(lambda: len(epochs(spool)) >= 1)
    wait(lambda: (spool.folder / "checkpoint" / "clock").exists())
    own_study.kill()
    age = float((spool.folder / "checkpoint" / "clock").read_text())
    own_study.start()
    began = time.monotonic()
    result = own_study.result(spool)
    assert result.failure == "time-limit"
    assert time.monotonic() - began < 8.0 - age + 20.0
    assert result.seconds_in_fit + result.seconds_outside_fit == pytest.approx(8.0, abs=2.5)
    assert result.objective is not None


def test_files_of_an_earlier_run_stay_and_folders_are_made_again(own_study):
    script = """
import os
os.mkdir("out")
if not os.path.exists("out/kept.txt"):
    open("out/kept.txt", "w").write("first run")
"""
    own_study.start()
    spool = own_study.submit(DATA + script + MODEL + SLOW + ENDLESS)
    wait(lambda: len(epochs(spool)) >= 1)
    own_study.kill()
    own_study.start()
    wait(lambda: "going on" in spool.console.read_text() and len(epochs(spool)) >= 3)
    assert (spool.folder / "work" / "out" / "kept.txt").read_text() == "first run"


def test_the_heart_beats_and_health_says_so(own_study):
    def health(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", "-m", "trainer.health"]
        place = ["--trials", str(own_study.folder / "trials"), *options]
        environment = {"PYTHONPATH": str(DOCKER)}
        return subprocess.run(
            [*command, *place], env=environment, capture_output=True, text=True, check=False
        )

    assert health().returncode == 1
    assert health().stdout == "no heartbeat: No such file or directory\n"
    own_study.start()
    heartbeat = own_study.folder / "trials" / "heartbeat"
    wait(heartbeat.exists)
    assert health().returncode == 0
    assert "last heartbeat" in health().stdout
    beaten = heartbeat.stat().st_mtime
    wait(lambda: heartbeat.stat().st_mtime > beaten)
    own_study.kill()
    old = time.time() - 60
    os.utime(heartbeat, (old, old))
    assert health().returncode == 1


def test_both_sides_of_the_spool_agree_on_the_fields():
    from dataclasses import fields

    from trainer import spool as trainer_side

    from jobs.environment import spool as jobs_side

    for name in ("Request", "Epoch", "Result"):
        one, other = getattr(jobs_side, name), getattr(trainer_side, name)
        assert [each.name for each in fields(one)] == [each.name for each in fields(other)]
        assert [each.default for each in fields(one)] == [each.default for each in fields(other)]
    assert Epoch(1, 1, 1, 0.1, {}).to_json()


def test_a_trial_is_tidied_while_the_server_writes_its_age_beside(tmp_path):
    from trainer import spool as trainer_side

    over = threading.Event()

    def write():
        while not over.is_set():
            partial = tmp_path / f".clock.{os.getppid()}"
            partial.touch()
            partial.replace(tmp_path / "clock")

    (tmp_path / ".clock.1234567").touch()
    (tmp_path / "1-2.pickle").touch()
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(2000):
            trainer_side.clean(tmp_path, everything=True)
        assert writer.is_alive()
    finally:
        over.set()
        writer.join()
    assert [each.name for each in tmp_path.iterdir()] == ["clock"]
