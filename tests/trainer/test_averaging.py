"""Averaged weights (``use_ema``): measured, saved, inherited and resumed as fit leaves them."""

import pytest
from tiny import DATA, MODEL, SLOW, read_json

pytestmark = pytest.mark.tensorflow

AVERAGED = DATA + MODEL.replace('"adam"', "keras.optimizers.Adam(0.03, use_ema=True)")
FIT = """
import json

class Raw(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.last = self.model.evaluate(x[64:], y[64:], verbose=0)[0]

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append(self.last)

raw = Raw()
given = dict(validation_data=(x[64:], y[64:]), batch_size=8, shuffle=False, verbose=0)
history = model.fit(x[:64], y[:64], epochs=4, callbacks=[raw, *more], **given)
left = model.evaluate(x[64:], y[64:], verbose=0)[0]
json.dump({"left": left, "raw": raw.losses}, open("seen.json", "w"))
"""


def test_validation_measures_what_fit_leaves_the_model_with(study):
    result, spool = study.run(AVERAGED + "more = []\n" + FIT)
    assert result.outcome == "complete", result.reason
    assert any("use_ema" in each for each in result.notes)
    assert result.steps == 8
    seen = read_json(spool, "seen.json")
    measured = [each.val_loss for each in spool.epochs()]
    assert measured[-1] == pytest.approx(seen["left"], abs=1e-5)
    for averaged, last_step in zip(measured, seen["raw"], strict=True):
        assert abs(averaged - last_step) > 1e-3


def test_the_scripts_callbacks_see_the_averages(study):
    early = 'keras.callbacks.EarlyStopping("val_loss", patience=9, restore_best_weights=True)'
    result, spool = study.run(AVERAGED.replace("0.03", "0.3") + f"more = [{early}]\n" + FIT)
    assert result.outcome == "complete", result.reason
    measured = [each.val_loss for each in spool.epochs()]
    assert read_json(spool, "seen.json")["left"] == pytest.approx(min(measured), abs=1e-5)


def test_a_script_that_sees_to_its_averages_is_left_alone(study):
    result, spool = study.run(AVERAGED + "more = [keras.callbacks.SwapEMAWeights()]\n" + FIT)
    assert result.outcome == "complete", result.reason
    assert not any("use_ema" in each for each in result.notes)
    measured = [each.val_loss for each in spool.epochs()]
    assert measured[-1] == pytest.approx(read_json(spool, "seen.json")["left"], abs=1e-5)


def test_the_saved_model_has_the_averages(study):
    import keras

    result, spool = study.run(AVERAGED + "more = []\n" + FIT)
    best = list(spool.epochs())[result.best_epoch - 1]
    names: dict[str, object] = {}
    exec(DATA, names)
    x, y = names["x"], names["y"]
    loss, _ = keras.saving.load_model(spool.model).evaluate(x[64:], y[64:], verbose=0)  # type: ignore[index]
    assert loss == pytest.approx(best.val_loss, abs=1e-5)


@pytest.mark.parametrize("parents", ["keras.optimizers.Adam(0.03, use_ema=True)", '"adam"'])
def test_a_childs_averages_begin_with_its_parents_weights(study, parents):
    short = "model.fit(x[:64], y[:64], epochs=2, validation_data=(x[64:], y[64:]))\n"
    _, parent = study.run(DATA + MODEL.replace('"adam"', parents) + short)
    slow = "keras.optimizers.Adam(0.03, use_ema=True, ema_momentum=0.9999)"
    result, child = study.run(
        DATA + MODEL.replace('"adam"', slow) + short, inherit=int(parent.folder.name)
    )
    assert result.inheritance[-1] == "adam: goes on with its moments."
    best = max(parent.epochs(), key=lambda each: (each.val_accuracy, -each.epoch))
    # The averages hardly leave where they began.
    assert next(child.epochs()).val_loss == pytest.approx(best.val_loss, abs=2e-3)


def test_a_killed_trial_goes_on_with_its_averages(own_study):
    script = AVERAGED + SLOW + "more = [Slow()]\n" + FIT
    own_study.start()
    whole, undisturbed = own_study.run(script)
    result, spool = own_study.run_killed(script, after=1, before=4)
    losses = [each.val_loss for each in spool.epochs()]
    assert losses == pytest.approx([each.val_loss for each in undisturbed.epochs()], rel=1e-3)
    assert result.objective == pytest.approx(whole.objective)
    assert read_json(spool, "seen.json")["left"] == pytest.approx(losses[-1], abs=1e-5)
