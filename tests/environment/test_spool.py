"""The spool is shared with untrusted scripts: what they put there is not followed."""

import os

import pytest

from jobs.environment.spool import IMAGES, Request, Result, Spool, forget_images, write_whole
from jobs.errors import RetuneError

REQUEST = Request(study="main-1a2b3c4", trial=0, script="cnn.py")


@pytest.fixture
def spool(tmp_path):
    return Spool.of(tmp_path, 0)


def test_what_is_submitted_is_read_back_and_written_once(spool):
    spool.submit(REQUEST)
    before = (spool.folder / "request.json").stat().st_ino
    spool.submit(REQUEST)
    assert spool.request() == REQUEST
    assert (spool.folder / "request.json").stat().st_ino == before


def test_an_epoch_still_being_written_is_left_for_later(spool):
    spool.submit(REQUEST)
    line = '{"epoch": 1, "epochs": 2, "fit": 1, "seconds": 0.5, "logs": {"loss": 1.0}}\n'
    (spool.folder / "progress.jsonl").write_text(line + line[:30])
    assert [each.epoch for each in spool.epochs()] == [1]


def test_a_result_is_not_overwritten(spool):
    spool.conclude(Result("complete", objective=0.8))
    spool.conclude(Result("failed", failure="relaunches"))
    result = spool.result()
    assert result is not None
    assert result.objective == 0.8


def test_a_link_in_place_of_a_file_shows_nothing_of_the_host(spool, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text('{"outcome": "complete", "reason": "geheim"}')
    spool.submit(REQUEST)
    for name in ("console.log", "result.json"):
        (spool.folder / name).symlink_to(secret)
    assert spool.console_tail() == []
    assert spool.result() is None


def test_a_pipe_in_place_of_a_file_does_not_block(spool):
    spool.submit(REQUEST)
    os.mkfifo(spool.folder / "console.log")
    (spool.folder / "result.json").mkdir()
    assert spool.console_tail() == []
    assert spool.result() is None


def test_a_link_in_place_of_a_trial_is_refused(tmp_path):
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / "1").symlink_to("/etc")
    with pytest.raises(RetuneError, match="is a symbolic link"):
        Spool.of(tmp_path, 1)


def test_a_link_in_the_way_of_a_new_file_is_not_written_through(spool, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    spool.folder.mkdir(parents=True)
    (spool.folder / f".stop.{os.getpid()}").symlink_to(victim)
    (spool.folder / "stop").symlink_to(victim)
    spool.stop("enough")
    assert victim.read_text() == "untouched"
    assert (spool.folder / "stop").read_text() == "enough"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_new_folder_belongs_to_the_owner_of_the_spool(tmp_path):
    trials = tmp_path / "trials"
    trials.mkdir()
    os.chown(trials, 10001, 10001)
    write_whole(trials / "3" / "deep" / "request.json", "{}")
    for folder in (trials / "3", trials / "3" / "deep"):
        assert (folder.stat().st_uid, folder.stat().st_gid) == (10001, 10001)


def test_a_console_that_grows_while_it_is_copied(spool, tmp_path, monkeypatch):
    monkeypatch.setattr("jobs.environment.spool.CONSOLE_BYTES", 4)
    spool.folder.mkdir(parents=True, exist_ok=True)
    spool.console.write_text("0123456789")
    measure = os.fstat

    def grow(number):
        size = measure(number)
        with spool.console.open("a") as console:
            console.write("more")
        return size

    monkeypatch.setattr(os, "fstat", grow)
    assert spool.copy_console(tmp_path / "copy")
    assert len((tmp_path / "copy").read_text()) == 4


def test_kept_images_go_and_nothing_that_a_link_leads_to(tmp_path):
    kept = tmp_path / "trials" / IMAGES
    (kept / "1a2b").mkdir(parents=True)
    (kept / "1a2b" / "3c4d").write_bytes(b"values")
    forget_images(tmp_path)
    assert not kept.exists()
    forget_images(tmp_path)  # nothing is there, and nothing is wrong
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").touch()
    kept.symlink_to(other)
    forget_images(tmp_path)
    assert not kept.is_symlink()
    assert (other / "precious").exists()
