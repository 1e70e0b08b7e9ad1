"""What needs no engine: the paths of scripts, and the engine's errors in plain words."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from jobs.environment.base import Limits
from jobs.environment.container import (
    check_absolute,
    container_name,
    container_options,
    writable_places,
)
from jobs.environment.docker import DockerEnvironment
from jobs.environment.engine import names_a_registry
from jobs.errors import RetuneError


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/home/cnn_dataset/training_set/", "/home/cnn_dataset/training_set"),
        ("/storage/mnist.npz", "/storage/mnist.npz"),
        ("//data//photos", "/data/photos"),
        ("/content", "/content"),
        ("/tmp/photos", "/tmp/photos"),
    ],
)
def test_the_path_that_a_script_names_is_mounted_at(path, place):
    assert check_absolute(path) == place


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/",
            "//",
            "/.",
            "/etc",
            "/etc/passwd",
            "/usr/share/photos",
            "/proc/1",
            "/sys",
            "/dev/shm",
        ),
        *("/home", "/tmp", "/var", "/run/docker.sock", "/var/run/docker.sock", "/bin/", "/lib64"),
        *("/retune/trials", "/opt/retune/trainer", "/data/../etc", "/./etc", "photos", ""),
    ],
)
def test_a_path_of_the_system_is_refused(path):
    with pytest.raises(RetuneError, match="cannot show a data set"):
        check_absolute(path)


@pytest.mark.parametrize(
    ("paths", "places"),
    [
        (["/home/accuracy.txt", "/home/model/cnn.h5"], ("/home",)),
        (["/task3/job3/cnn_model.hdf5", "/root/workspace"], ("/root", "/task3")),
        (["/content/drive/My Drive/model (1).h5"], ("/content",)),
        (["/results/", "/home/"], ("/home", "/results")),
        # Files, and strings that are no paths.
        (["/accuracy.txt", "/model.h5", "/10", "/ images found", "/run.1/"], ()),
        (["/.dockerenv", "/.dockerenv/", "/.dockerenv/x"], ()),
        (["/opt/work/out.txt", "/var/data/x"], ("/opt/work", "/var/data")),
        (["/etc/passwd", "/opt/venv/bin", "/usr/share/x", "/tmp/x", "/opt", "/var/lib/x"], ()),
        (["/", "//host/share", "/a\nb", "relative/path", "/../etc", "<br/>", "/\0"], ()),
    ],
)
def test_where_a_script_may_write(paths, places):
    assert writable_places(paths) == places


def test_a_data_set_is_not_hidden_by_a_place_to_write_to(specify):
    photos = specify().data["photos"]
    wanted = options(specify(absolute={"/storage/": photos}, writable=("/home", "/storage")))
    assert set(wanted["tmpfs"]) == {"/tmp", "/home"}
    assert "/storage" in [mount["Target"] for mount in wanted["mounts"]]


def options(specification, **changes):
    wanted = {"home": "/home/retune", "image": "retune-trainer", "gpus": None, "user": (1000, 1000)}
    return container_options(
        specification, **wanted | {"engine_cpus": 8, "engine_path": str} | changes
    )


def test_no_gpu_unless_the_operator_says_so(specify):
    assert options(specify())["device_requests"] == []
    (everything,) = options(specify(), gpus="all")["device_requests"]
    assert (everything.count, everything.capabilities) == (-1, [["gpu"]])
    (some,) = options(specify(), gpus="0, 2")["device_requests"]
    assert (some.count, some.device_ids) == (0, ["0", "2"])


def test_more_cores_than_the_engine_has_means_all_of_them(specify):
    limits = Limits(memory=2**30, cpus=16.0, processes=64, shared_memory=2**20)
    wanted = options(specify(limits=limits))
    assert wanted["nano_cpus"] == 8_000_000_000
    assert wanted["command"][-2:] == ["--threads", "8"]


def test_two_homes_have_two_containers_for_a_study_of_one_name():
    assert container_name("main-1a2b3c4", "/a") != container_name("main-1a2b3c4", "/b")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("retune-trainer", False),
        ("retune-trainer:2", False),
        ("team/retune-trainer", False),
        ("registry.example/retune-trainer", True),
        ("localhost/retune-trainer", True),
        ("127.0.0.1:5000/team/retune-trainer:2", True),
    ],
)
def test_whether_an_image_names_a_registry(image, expected):
    assert names_a_registry(image) is expected


def test_an_engine_that_is_away(home, monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(RetuneError) as caught:
        DockerEnvironment(home).state("main-1a2b3c4")
    assert str(caught.value) == (
        f"The Docker Engine at unix://{tmp_path}/none.sock does not answer; start it "
        "(sudo systemctl start docker) or name another engine in DOCKER_HOST."
    )


def test_a_socket_that_nobody_answers(home, monkeypatch, tmp_path):
    file = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(file))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{file}")
    with pytest.raises(RetuneError, match="does not answer; start it"):
        DockerEnvironment(home).studies()


def test_a_remote_engine_that_is_away(home, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
    with pytest.raises(RetuneError, match=f"at tcp://127.0.0.1:{port} does not answer"):
        DockerEnvironment(home).studies()


@contextmanager
def without_root() -> Iterator[None]:
    """Root may use every socket: be nobody for a while."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_socket_that_may_not_be_used(home, monkeypatch, tmp_path):
    file = tmp_path / "closed.sock"
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(file))
        engine.listen()
        file.chmod(0)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{file}")
        with without_root(), pytest.raises(RetuneError) as caught:
            DockerEnvironment(home).studies()
    assert "may not use the Docker Engine" in str(caught.value)
    assert "sudo usermod -aG docker" in str(caught.value)
