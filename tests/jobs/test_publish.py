"""What a build archives: nothing that a script put there by a link, and a patch that applies."""

import os
from pathlib import Path
from typing import Any

import pytest

from jobs import launch, pull, train
from jobs.environment.spool import Result
from jobs.publish import publish_for_build, publish_logs
from jobs.study import Study

LATIN = "# caf\udce9, once\n"


def bytes_of(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


@pytest.fixture
def artefacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "artefacts"
    monkeypatch.setenv("RETUNE_ARTIFACTS", str(folder))
    return folder


def pushed(world: Any, files: dict[str, str] | None = None) -> Study:
    """A study whose first trial was trained."""
    step = pull.receive(world.context, world.push(files))
    assert step is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RETUNE_ARTIFACTS", raising=False)
        for run in (pull.run, launch.run, train.run):
            run(world.context, step.study, step.trial)
    study: Study = world.context.record.open(step.study)
    return study


def test_a_build_keeps_what_its_readers_want(world: Any, artefacts: Path) -> None:
    publish_for_build(world.context, pushed(world))
    assert sorted(file.name for file in artefacts.iterdir()) == [
        *("accuracy.png", "cnn.py", "curves-0.png", "junit.xml", "model.keras"),
        *("report.css", "report.html"),
    ]
    assert (artefacts / "model.keras").read_bytes() == b"weights"
    assert (artefacts / "cnn.py").read_text() == world.script


def test_a_training_keeps_its_console_and_the_environments_log(
    world: Any, artefacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.environment.spool.CONSOLE_BYTES", 8)
    study = pushed(world)
    world.context.spool(study.name, 0).console.write_text("much before the end")
    publish_logs(world.context, study, 0)
    assert sorted(file.name for file in artefacts.iterdir()) == ["console-0.log", "environment.log"]
    assert (artefacts / "console-0.log").read_text() == " the end"


def test_a_console_that_a_script_replaced_is_not_kept(world: Any, artefacts: Path) -> None:
    study = pushed(world)
    console = world.context.spool(study.name, 0).console
    console.unlink(missing_ok=True)
    console.symlink_to("/etc/passwd")
    publish_logs(world.context, study, 0)
    assert not (artefacts / "console-0.log").exists()


def test_outside_a_build_nothing_is_kept(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = pushed(world)
    monkeypatch.setenv("RETUNE_ARTIFACTS", "")
    (here := tmp_path / "here").mkdir()
    monkeypatch.chdir(here)
    publish_for_build(world.context, study)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_model_that_a_script_replaced_is_not_kept(
    kind: str, world: Any, artefacts: Path, tmp_path: Path
) -> None:
    study = pushed(world)
    (tmp_path / "secret").write_text("of the host")
    model = world.context.spool(study.name, 0).model
    model.unlink()
    if kind == "link":
        model.symlink_to(tmp_path / "secret")
    elif kind == "pipe":
        os.mkfifo(model)
    else:
        model.mkdir()
    publish_for_build(world.context, study)
    assert not (artefacts / "model.keras").exists()
    assert (artefacts / "report.html").exists()


@pytest.mark.parametrize("linked", ["the script", "its folder"])
def test_a_script_that_leads_out_of_the_commit_is_not_kept(
    linked: str, world: Any, artefacts: Path, tmp_path: Path
) -> None:
    study = pushed(world)
    (outside := tmp_path / "outside").mkdir()
    (outside / "cnn.py").write_text("of the host")
    source = world.context.source(study.name, 0)
    if linked == "the script":
        (source / "cnn.py").unlink()
        (source / "cnn.py").symlink_to(outside / "cnn.py")
    else:
        (source / "models").symlink_to(outside)
        study.set("script", "models/cnn.py")
    publish_for_build(world.context, study)
    assert not (artefacts / "cnn.py").exists()


def test_the_patch_leads_from_the_pushed_script_to_the_best(world: Any, artefacts: Path) -> None:
    notes = world.clone / "notes.txt"
    notes.write_bytes(b"# before\n")
    before = world.push().commit
    notes.write_bytes(bytes_of(LATIN))
    study = pushed(world)
    study.set("commit", before)
    publish_for_build(world.context, study)
    world.git("checkout", "--quiet", before)
    world.git("apply", str(artefacts / "winner.patch"))
    assert notes.read_bytes() == bytes_of(LATIN)


def test_a_study_without_a_result_keeps_its_page(world: Any, artefacts: Path) -> None:
    world.environment.play = lambda _: ([], Result("failed", failure="no-fit", reason="No fit."))
    publish_for_build(world.context, pushed(world))
    assert sorted(file.name for file in artefacts.iterdir()) == [
        *("accuracy.png", "junit.xml", "report.css", "report.html"),
    ]
    assert "No fit." in (artefacts / "report.html").read_text()
