"""Averaged weights (``use_ema``): measured, saved, inherited and resumed as fit leaves them."""

import pytest
from tiny import DATA, MODEL, SLOW, evaluated, read_json

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
    # They begin when the layers have seen their first epoch.
    assert measured[0] == pytest.approx(seen["raw"][0], abs=1e-5)
    for averaged, last_step in zip(measured[1:], seen["raw"][1:], strict=True):
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
    result, spool = study.run(AVERAGED + "more = []\n" + FIT)
    best = list(spool.epochs())[result.best_epoch - 1]
    loss, _ = evaluated(spool)
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


NORMALISED = """
model = keras.Sequential()
model.add(keras.Input((8, 8, 3)))
model.add(layers.Conv2D(4, 3, activation="relu"))
model.add(layers.BatchNormalization())
model.add(layers.Flatten())
model.add(layers.Dense(2, activation="softmax"))
model.compile(
    keras.optimizers.Adam(0.03, use_ema=True),
    "sparse_categorical_crossentropy",
    metrics=["accuracy"],
)

import json

class Statistics(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.last = self.now()

    def on_epoch_end(self, epoch, logs=None):
        counted.append([self.last, self.now()])

    def now(self):
        layer = model.layers[1]
        return [each.numpy().tolist() for each in (layer.moving_mean, layer.moving_variance)]

counted = []
given = dict(validation_data=(x[64:], y[64:]), batch_size=8, callbacks=[Statistics()])
model.fit(x[:64], y[:64], epochs=2, **given)
json.dump(counted, open("counted.json", "w"))
"""


def test_statistics_of_new_normalisations_are_freed_from_where_they_began(study):
    result, spool = study.run(DATA + NORMALISED)
    assert result.outcome == "complete", result.reason
    (first, second) = read_json(spool, "counted.json")
    (mean, variance), (freed_mean, freed_variance) = first
    left = 0.99**8  # of 0 and 1, after eight steps
    assert freed_mean == pytest.approx([each / (1 - left) for each in mean], rel=1e-4)
    free = [(each - left) / (1 - left) for each in variance]
    assert freed_variance == pytest.approx(free, rel=1e-3, abs=1e-4)
    assert second[0] == second[1]


COUNTED = """
bottom = keras.Input((8, 8, 3))
mirrored = layers.Lambda(lambda each: each[:, :, ::-1])(bottom)
inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.{normalisation}])
top = layers.{top}
model = keras.Model(bottom, layers.Dense(2, activation="softmax")(layers.Flatten()(top)))
keras.utils.set_random_seed(7)
model.compile(
    keras.optimizers.Adam(0.03, use_ema=True, {steps}),
    "sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(x[:64], y[:64], epochs=2, batch_size=2, validation_data=(x[64:], y[64:]))
variance = inner.layers[-1].moving_variance.numpy()
mean = abs(inner.layers[-1].moving_mean.numpy())
assert variance.min() > 0.02 and mean.max() < 2, (mean, variance)
"""


@pytest.mark.parametrize(
    ("normalisation", "top", "steps"),
    [
        ("BatchNormalization()", "ReLU()(inner(bottom))", "gradient_accumulation_steps=4"),
        ("BatchNormalization()", "Add()([inner(bottom), inner(mirrored)])", ""),
        ("BatchNormalization(renorm=True)", "ReLU()(inner(bottom))", ""),
    ],
)
def test_statistics_that_are_counted_in_another_way_stay_of_use(study, normalisation, top, steps):
    script = COUNTED.format(normalisation=normalisation, top=top, steps=steps)
    result, _ = study.run(DATA + script)
    assert result.outcome == "complete", result.reason
    assert result.notes == [each for each in result.notes if "failed" not in each]


def test_a_killed_trial_goes_on_with_its_averages(own_study):
    script = AVERAGED + SLOW + "more = [Slow()]\n" + FIT
    own_study.start()
    whole, undisturbed = own_study.run(script)
    result, spool = own_study.run_killed(script, after=1, before=4)
    losses = [each.val_loss for each in spool.epochs()]
    assert losses == pytest.approx([each.val_loss for each in undisturbed.epochs()], rel=1e-3)
    assert result.objective == pytest.approx(whole.objective)
    assert read_json(spool, "seen.json")["left"] == pytest.approx(losses[-1], abs=1e-5)
