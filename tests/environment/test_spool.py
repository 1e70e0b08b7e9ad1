"""The spool is shared with untrusted scripts: what they put there is not followed."""

import os
import socket
import sys
import time

import pytest

from jobs.environment.heartbeat import forget_heartbeat
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


@pytest.mark.parametrize(
    "content",
    [
        *("x", "[]", "{}", "[" * 100_000, '"' + "a" * 2**21, '{"outcome": "won"}'),
        *('{"outcome": "complete", "objective": "high"}', '{"outcome": "complete", "loss": NaN}'),
    ],
)
def test_what_is_no_result_is_a_failure_that_says_so(spool, content):
    spool.submit(REQUEST)
    (spool.folder / "result.json").write_text(content)
    result = spool.result()
    assert (result.outcome, result.failure) == ("failed", "script-error")
    assert "is not what the trainer writes" in result.reason
    spool.conclude(Result("failed", failure="relaunches"))  # there is one already


@pytest.mark.parametrize("line", ["x", "[]", "{}", '{"epoch": "one"}', "null"])
def test_what_is_no_epoch_is_none(spool, line):
    spool.submit(REQUEST)
    epoch = '{"epoch": 1, "epochs": 2, "fit": 1, "seconds": 0.5, "logs": {"loss": 1.0}}'
    (spool.folder / "progress.jsonl").write_text(f"{line}\n{epoch}\n")
    assert [each.epoch for each in spool.epochs()] == [1]


def test_a_socket_or_a_file_in_the_place_of_another_thing_counts_as_missing(spool, tmp_path):
    spool.submit(REQUEST)
    for name in ("result.json", "console.log"):
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(spool.folder / name))
    assert spool.result() is None
    assert spool.console_tail() == []
    spool.conclude(Result("failed", failure="relaunches"))
    assert spool.result().failure == "relaunches"
    (tmp_path / "trials" / "1").touch()
    other = Spool.of(tmp_path, 1)
    assert other.seconds_since_request() == 0.0
    with pytest.raises(RetuneError, match="cannot be written"):
        other.submit(REQUEST)


def test_a_request_that_a_script_has_spoilt_is_written_anew(spool):
    spool.submit(REQUEST)
    (spool.folder / "request.json").write_text("x")
    assert spool.request() is None
    spool.submit(REQUEST)
    assert spool.request() == REQUEST


def test_files_that_claim_to_be_endless_are_read_in_part(spool, tmp_path):
    spool.submit(REQUEST)
    for name in ("console.log", "progress.jsonl", "result.json", "model.keras"):
        with (spool.folder / name).open("wb") as file:
            file.truncate(2**40)
    assert len("".join(spool.console_tail())) <= 2**20
    assert list(spool.epochs()) == []
    assert spool.result().outcome == "failed"
    assert not spool.copy_model(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_folder_in_place_of_a_file_is_named_or_removed(spool):
    spool.submit(REQUEST)
    (spool.folder / "stop" / "deep").mkdir(parents=True)
    with pytest.raises(RetuneError, match="stop cannot be written"):
        spool.stop("enough")
    spool.reopen()
    assert not (spool.folder / "stop").exists()
    heartbeat = spool.folder.parent / "heartbeat"
    heartbeat.mkdir()
    forget_heartbeat(heartbeat.parent)
    assert not heartbeat.exists()


def test_folders_in_folders_without_an_end_stay(tmp_path):
    place = tmp_path / "trials" / IMAGES
    place.mkdir(parents=True)
    inner = os.open(place, os.O_RDONLY)
    for _ in range(sys.getrecursionlimit() + 100):
        os.mkdir("d", dir_fd=inner)
        outer, inner = inner, os.open("d", os.O_RDONLY, dir_fd=inner)
        os.close(outer)
    os.close(inner)
    forget_images(tmp_path)
    os.system(f"rm -rf {place}")


def test_a_trial_that_is_replaced_by_a_link_shows_nothing_and_takes_nothing(spool, tmp_path):
    spool.submit(REQUEST)
    spool.folder.rename(tmp_path / "away")
    other = tmp_path / "other"
    other.mkdir()
    (other / "console.log").write_text("geheim")
    (other / "result.json").write_text('{"outcome": "complete"}')
    spool.folder.symlink_to(other)
    assert spool.console_tail() == []
    assert spool.result() is None
    with pytest.raises(RetuneError, match="cannot be written"):
        spool.stop("enough")
    assert not (other / "stop").exists()


def test_a_trial_that_a_job_goes_on_with_is_as_old_as_that(spool):
    """Else one that was paused over night would be given up at the first look."""
    spool.submit(REQUEST)
    night = time.time() - 50_000
    os.utime(spool.folder / "request.json", (night, night))
    assert spool.seconds_since_request() > 49_000
    spool.submit(REQUEST)
    assert spool.seconds_since_request() < 1_000
