"""What `explain --json` says of each script of the corpus."""

from jobs.source import detect
from jobs.source.explain import as_json, explain


def test_enough_examples(request):
    corpus = request.path.parent / "corpus"
    assert len(list((corpus / "cnn").glob("*.json"))) >= 40
    assert len(list((corpus / "other").glob("*.json"))) >= 20


def test_cnn_is_read_as_expected(cnn):
    found = as_json(cnn.read())
    expected = cnn.expected
    assert (found["kind"], found["is_cnn"]) == ("cnn", True)
    values = {name: each["value"] for name, each in found["hyperparameters"].items()}
    assert values == expected["values"]
    held = sorted(name for name, each in found["hyperparameters"].items() if each["held"])
    assert held == expected["held"]
    assert {each["path"]: each["use"] for each in found["data"]} == expected["data"]
    assert found["input_shape"] == expected["input_shape"]
    for name, limits in expected["space"].items():
        space = found["hyperparameters"][name]["space"]
        assert space.get("options", [space.get("low"), space.get("high")]) == limits


def test_other_is_refused_with_reasons(other):
    reading = other.read()
    assert reading.kind == other.expected["kind"]
    assert not reading.is_cnn
    assert reading.reasons
    assert all(reason.endswith(".") for reason in reading.reasons)
    assert reading.hyperparameters == ()


def test_found_in_its_repository(cnn, tmp_path):
    root = cnn.copy_to(tmp_path / "checkout")
    assert detect.find(root).script == cnn.script


def test_explained_in_words(example):
    text = explain(example.read())
    assert text.startswith(example.script)
    for reason in example.read().reasons:
        assert reason in text
