"""Networks that end in a convolution with one map a class, as fully convolutional ones do."""

import pytest

from jobs.source import detect
from jobs.source.rewrite import CannotRewrite, rewrite

HEAD = """\
from tensorflow.keras import Input, Model, Sequential, layers
from tensorflow.keras.preprocessing.image import ImageDataGenerator

train = ImageDataGenerator(rescale=1 / 255).flow_from_directory("data", target_size=(64, 64))
"""
TRAINED = """\
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
model.fit(train, epochs=5)
"""
FEATURES = (
    'layers.Conv2D(32, 3, activation="relu")',
    "layers.MaxPooling2D()",
    'layers.Conv2D(64, 3, activation="relu")',
    "layers.MaxPooling2D()",
)
CLASSIFIERS = {
    "pooled in all": ("layers.Conv2D(5, 1)", "layers.GlobalAveragePooling2D()"),
    "pooled by size": ("layers.Conv2D(5, 1)", "layers.AveragePooling2D(2)", "layers.Flatten()"),
    "behind others": (
        'layers.Conv2D(48, 1, activation="relu")',
        "layers.SeparableConv2D(5, 1)",
        "layers.GlobalMaxPooling2D()",
    ),
}
FORMS = ("list", "add", "functional")


def script(form, classifier):
    calls = [*FEATURES, *CLASSIFIERS[classifier], 'layers.Activation("softmax")']
    if form == "list":
        made = "".join(f"    {each},\n" for each in ("Input((64, 64, 3))", *calls))
        made = f"model = Sequential([\n{made}])\n"
    elif form == "add":
        made = "".join(f"model.add({each})\n" for each in ("Input((64, 64, 3))", *calls))
        made = "model = Sequential()\n" + made
    else:
        made = "".join(f"x = {each}(x)\n" for each in calls)
        made = f"inputs = x = Input((64, 64, 3))\n{made}model = Model(inputs, x)\n"
    return HEAD + made + TRAINED


@pytest.fixture(params=[(form, each) for form in FORMS for each in CLASSIFIERS], ids=" ".join)
def checkout(request, tmp_path):
    (tmp_path / "cnn.py").write_text(script(*request.param))
    return tmp_path


def output(text):
    return next(i for i, line in enumerate(text.splitlines()) if "2D(5, 1)" in line)


def place(text, what):
    return [i for i, line in enumerate(text.splitlines()) if what in line]


def test_its_filters_are_the_classes_and_its_kernel_is_no_features(checkout):
    reading = detect.find(checkout, "cnn.py", [], [])
    known = {each.name: each for each in reading.hyperparameters}
    number = 4 if "Conv2D(48" in (checkout / "cnn.py").read_text() else 3
    assert f"conv{number}.filters" not in known
    assert f"conv{number}.kernel_size" not in known
    assert "it is the output layer" in str(known["output.filters"].held)
    assert {known[name].held for name in ("blocks", "batch_norm", "dropout1.rate")} == {None}


def test_new_blocks_stand_before_it(checkout):
    before = (checkout / "cnn.py").read_text()
    number = 4 if "Conv2D(48" in before else 3
    tweak = {"blocks": 3, f"conv{number}.filters": 96}
    changed = rewrite(checkout, "cnn.py", tweak)["cnn.py"].decode()
    (new,) = place(changed, "Conv2D(96")
    assert place(changed, "MaxPooling2D()")[2] == new + 1 == output(changed) - 1
    (checkout / "cnn.py").write_text(changed)
    assert rewrite(checkout, "cnn.py", {"blocks": 2})["cnn.py"].decode() == before


def test_nothing_is_normalised_behind_it_and_units_are_dropped_before_it(checkout):
    before = (checkout / "cnn.py").read_text()
    tweak = {"batch_norm": True, "dropout1.rate": 0.3}
    changed = rewrite(checkout, "cnn.py", tweak)["cnn.py"].decode()
    end = output(changed)
    assert all(each < end for each in place(changed, "layers.BatchNormalization("))
    assert len(place(changed, "layers.BatchNormalization(")) == before.count("Conv2D(") - 1
    assert place(changed, "layers.Dropout(0.3)") == [end - 1]
    (checkout / "cnn.py").write_text(changed)
    back = {"batch_norm": False, "dropout1.rate": 0.0}
    assert rewrite(checkout, "cnn.py", back)["cnn.py"].decode() == before


def test_what_gives_the_classes_is_no_block_that_can_go(tmp_path):
    calls = (
        *FEATURES[:2],
        "layers.Conv2D(5, 3)",
        "layers.AveragePooling2D(29)",
        "layers.Flatten()",
    )
    made = "".join(f"    {each},\n" for each in ("Input((64, 64, 3))", *calls))
    text = f"{HEAD}model = Sequential([\n{made}])\n"
    (tmp_path / "cnn.py").write_text(text + TRAINED)
    reading = detect.find(tmp_path, "cnn.py", [], [])
    assert next(x.value for x in reading.hyperparameters if x.name == "blocks") == 1
    with pytest.raises(CannotRewrite, match="output"):
        rewrite(tmp_path, "cnn.py", {"output.filters": 8})


def test_classes_that_the_script_counts_are_no_filters_to_tune(tmp_path):
    text = script("list", "pooled in all").replace("Conv2D(5, 1)", "Conv2D(train.num_classes, 1)")
    (tmp_path / "cnn.py").write_text(text)
    reading = detect.find(tmp_path, "cnn.py", [], [])
    (found,) = (each for each in reading.unread if each.name == "output.filters")
    assert found.held == "it is the output layer: its filters are the classes"
