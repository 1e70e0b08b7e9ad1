"""The Docker environment on a real engine, with a stand-in for the trainer in its image."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from docker.models.containers import Container

import docker
from jobs.environment.base import Condition
from jobs.environment.container import UNPRIVILEGED, container_name
from jobs.environment.docker import DockerEnvironment
from jobs.environment.heartbeat import Patience
from jobs.environment.spool import IMAGES
from jobs.errors import RetuneError

pytestmark = [pytest.mark.docker, pytest.mark.slow]

MIB = 1024**2


@pytest.fixture(scope="module")
def client() -> docker.DockerClient:
    return docker.from_env()


@pytest.fixture(scope="module")
def standin(client: docker.DockerClient, trainer_image: str) -> str:
    folder = Path(__file__).parent / "standin"
    client.images.build(
        path=str(folder), buildargs={"BASE": trainer_image}, tag="retune-standin", rm=True
    )
    return "retune-standin"


@pytest.fixture
def environment(home: Path, standin: str) -> Iterator[DockerEnvironment]:
    made = DockerEnvironment(home, image=standin)
    yield made
    for study in made.studies():
        made.remove(study)


@pytest.fixture
def container(client, launched, home) -> Container:
    return client.containers.get(container_name(launched.study, str(home.resolve())))


def state_is(environment, specification, condition):
    return lambda: environment.state(specification.study).condition is condition


def test_the_engine_was_told_every_limit(container, launched, specify, tmp_path):
    host, config = container.attrs["HostConfig"], container.attrs["Config"]
    assert host["NetworkMode"] == "none"
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["Privileged"] is False
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["ReadonlyRootfs"] is True
    assert host["Init"] is True
    assert host["Memory"] == host["MemorySwap"] == 256 * MIB
    assert host["NanoCpus"] == 1_000_000_000
    assert host["PidsLimit"] == 64
    assert host["ShmSize"] == 32 * MIB
    assert host["IpcMode"] == "private"
    assert host["Tmpfs"] == {"/tmp": f"size={64 * MIB},mode=1777"}
    assert host["RestartPolicy"]["Name"] in ("", "no")
    assert not host["DeviceRequests"]
    assert config["User"].partition(":")[0] not in ("", "0", "root")
    assert config["Healthcheck"]["Test"][-4:] == [
        *("-m", "trainer.health", "--trials", "/retune/trials")
    ]
    assert config["Labels"]["retune.study"] == launched.study
    mounts = {
        each["Destination"]: (each["Source"], each["RW"]) for each in container.attrs["Mounts"]
    }
    assert mounts == {
        "/retune/source": (str(launched.source), False),
        "/retune/trials": (str(launched.trials), True),
        "/retune/data/photos": (str(tmp_path / "photos"), False),
    }


def test_the_limits_hold_inside(launched, answer):
    seen = answer(launched, "report")
    assert seen["user"] == [launched.trials.stat().st_uid, launched.trials.stat().st_gid]
    assert seen["user"][0] != 0
    assert int(seen["capabilities"], 16) == 0
    assert seen["no_new_privileges"] == "1"
    assert seen["write_root"] == "OSError"
    assert seen["write_source"] == "OSError"
    assert seen["write_data"] == "OSError"
    assert seen["write_tmp"] == "done"
    assert seen["connect"] == "OSError"
    assert seen["data"] == {"photos": ["cat.jpg"]}
    assert seen["arguments"][-2:] == ["--threads", "1"]


def test_no_secret_of_the_operator_is_passed(
    environment, specify, client, answer, monkeypatch, tmp_path, home
):
    configuration = {"proxies": {"default": {"httpProxy": "http://me:geheim@proxy:3128"}}}
    (tmp_path / "config.json").write_text(json.dumps(configuration))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in ("RETUNE_SMTP_PASSWORD", "JENKINS_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "geheim")
    specification = specify()
    DockerEnvironment(home, image="retune-standin").launch(specification)
    container = client.containers.get(container_name(specification.study, str(home.resolve())))
    assert "geheim" not in json.dumps(container.attrs)
    assert "geheim" not in json.dumps(answer(specification, "report")["environment"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_trainer_runs_as_the_owner_of_the_spool(environment, specify, answer):
    specification = specify()
    specification.trials.mkdir(parents=True)
    os.chown(specification.trials, 4321, 4322)
    environment.launch(specification)
    assert answer(specification, "report")["user"] == [4321, 4322]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_spool_of_root_is_given_away_without_following_links(
    environment, specify, answer, tmp_path
):
    victim = tmp_path / "victim"
    victim.touch()
    specification = specify()
    (specification.trials / "0").mkdir(parents=True)
    (specification.trials / "0" / "request.json").write_text("{}")
    (specification.trials / "0" / "link").symlink_to(victim)
    environment.launch(specification)
    assert answer(specification, "report")["user"] == [UNPRIVILEGED, UNPRIVILEGED]
    assert (specification.trials / "0" / "request.json").stat().st_uid == UNPRIVILEGED
    assert victim.stat().st_uid == 0


def test_launch_leaves_a_running_container_alone(environment, launched, container):
    assert environment.launch(launched).identifier == container.short_id
    assert environment.studies() == [launched.study]
    assert "stand-in trainer started" in environment.logs(launched.study)


def test_two_jobs_that_launch_at_once_get_the_same_container(environment, specify, home, standin):
    specification = specify()
    jobs = [DockerEnvironment(home, image=standin) for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        states = list(pool.map(lambda job: job.launch(specification), jobs))
    assert len({state.identifier for state in states}) == 1
    assert environment.studies() == [specification.study]


def test_another_specification_replaces_the_container(environment, launched, container, specify):
    absolute = {"/home/cnn_dataset/training_set": launched.data["photos"]}
    state = environment.launch(specify(absolute=absolute))
    assert state.identifier != container.short_id
    kept = (launched.folder / "environment.log").read_text()
    assert f"{container.short_id} removed, was healthy" in kept
    assert "stand-in trainer started" in kept


def test_the_path_that_a_script_names_shows_the_data_set(environment, client, specify, home):
    specification = specify()
    specification = specify(absolute={"/home/cnn_dataset": specification.data["photos"]})
    environment.launch(specification)
    container = client.containers.get(container_name(specification.study, str(home.resolve())))
    code, output = container.exec_run(["ls", "/home/cnn_dataset"])
    assert (code, output) == (0, b"cat.jpg\n")
    assert container.exec_run(["touch", "/home/cnn_dataset/w"]).exit_code != 0


def test_a_place_that_a_script_writes_to(environment, client, specify, home):
    """Folders that the image has (``/home``, ``/root``) and others, data sets in them included."""
    photos = specify().data["photos"]
    data = {"/home/cnn_dataset": photos, "/storage": photos}
    writable = ("/home", "/root", "/storage", "/task")
    specification = specify("main-2b3c4d5", absolute=data, writable=writable)
    environment.launch(specification)
    container = client.containers.get(container_name(specification.study, str(home.resolve())))
    for place in ("/home", "/root", "/task"):
        assert container.exec_run(["touch", f"{place}/accuracy.txt"]).exit_code == 0
    for place in data:
        assert container.exec_run(["ls", place]).output == b"cat.jpg\n"
    for place in (*data, "/opt", "/"):
        assert container.exec_run(["touch", f"{place}/accuracy.txt"]).exit_code != 0
    environment.remove(specification.study)


def test_without_data_there_is_an_empty_data_root(environment, specify, client, home):
    environment.launch(specify(data={}))
    container = client.containers.get(container_name(specify().study, str(home.resolve())))
    assert container.exec_run(["ls", "-A", "/retune/data"]) == (0, b"")
    assert container.exec_run(["touch", "/retune/data/w"]).exit_code != 0


def test_a_killed_container_is_dead_and_launched_again(environment, launched, container, wait):
    container.kill()
    wait(state_is(environment, launched, Condition.DEAD))
    state = environment.state(launched.study)
    assert state.detail == "the container ended with exit code 137 (signal 9)"
    assert state.needs_relaunch
    assert environment.studies() == [launched.study]
    assert environment.launch(launched).identifier != container.short_id
    wait(state_is(environment, launched, Condition.HEALTHY))


def test_the_exit_code_is_said(environment, launched, order, wait):
    order(launched, "exit 3")
    wait(state_is(environment, launched, Condition.DEAD))
    assert environment.state(launched.study).detail == "the container ended with exit code 3"


def test_a_trainer_that_falls_silent_is_unhealthy_by_the_health_check(
    environment, launched, order, wait, container
):
    order(launched, "silence")
    wait(state_is(environment, launched, Condition.UNHEALTHY))
    assert "its health check fails: heartbeat" in environment.state(launched.study).detail
    assert environment.launch(launched).identifier != container.short_id
    wait(state_is(environment, launched, Condition.HEALTHY))


def test_a_trainer_that_falls_silent_is_unhealthy_by_its_heartbeat(
    environment, launched, order, wait, home
):
    impatient = DockerEnvironment(home, patience=Patience(silence=0.5))
    order(launched, "silence")
    wait(state_is(impatient, launched, Condition.UNHEALTHY))
    assert "its last heartbeat was" in impatient.state(launched.study).detail


def test_a_paused_container_is_replaced(environment, launched, container, wait):
    container.pause()
    wait(state_is(environment, launched, Condition.UNHEALTHY))
    assert environment.state(launched.study).detail == "the container is paused"
    assert environment.launch(launched).identifier != container.short_id


def test_a_container_that_was_never_started_is_replaced(environment, launched, container, client):
    options = {"image": container.image, "name": container.name, "labels": container.labels}
    options["command"] = ["true"]
    environment.remove(launched.study)
    created = client.containers.create(**options)
    assert environment.state(launched.study).detail == "the container was never started"
    assert environment.launch(launched).identifier != created.short_id


def test_a_container_at_its_memory_limit_says_so(environment, launched, order, wait):
    order(launched, "eat")
    wait(state_is(environment, launched, Condition.OUT_OF_MEMORY))
    detail = environment.state(launched.study).detail
    assert detail == "the container was killed at its memory limit of 256 MiB"


def test_remove_takes_the_container_away_and_keeps_its_log(environment, launched):
    (launched.trials / IMAGES).mkdir()
    environment.remove(launched.study)
    assert not (launched.trials / IMAGES).exists()
    assert environment.state(launched.study).condition is Condition.ABSENT
    assert environment.studies() == []
    assert "stand-in trainer started" in environment.logs(launched.study)
    environment.remove(launched.study)


def test_containers_of_another_home_are_not_touched(
    environment, launched, container, standin, tmp_path, specify, wait
):
    home = tmp_path / "another"
    other = DockerEnvironment(home, image=standin)
    assert other.studies() == []
    assert other.state(launched.study).condition is Condition.ABSENT
    other.remove(launched.study)
    theirs = specify(folder=home / "studies" / launched.study)
    other.launch(theirs)
    other.remove(launched.study)
    container.reload()
    assert container.status == "running"
    assert environment.studies() == [launched.study]


def test_a_home_that_the_engine_sees_elsewhere(specify, standin, tmp_path, wait, client, home):
    """The jobs see the home by another path than the engine does, as in a container of theirs."""
    seen_by_engine = tmp_path / "on the host"
    seen_by_engine.mkdir()
    inside = DockerEnvironment(home, image=standin, host_home=seen_by_engine)
    specification = specify()
    with pytest.raises(RetuneError, match="give the home folder as the engine sees it"):
        inside.launch(specification)
    assert inside.studies() == []
    there = seen_by_engine / "studies" / specification.study
    (there / "source").mkdir(parents=True)
    (there / "trials").mkdir()
    (there / "trials").chmod(0o777)
    inside.launch(specification)
    try:
        wait((there / "trials" / "heartbeat").exists)
        assert inside.studies() == [specification.study]
    finally:
        inside.remove(specification.study)


def test_a_missing_image_says_how_to_build_it(home, specify):
    with pytest.raises(RetuneError, match="build it with `make image`"):
        DockerEnvironment(home, image="retune-none").launch(specify())


def test_a_path_of_the_system_is_refused_before_anything_runs(environment, specify, tmp_path):
    with pytest.raises(RetuneError, match="cannot show a data set"):
        environment.launch(specify(absolute={"/etc": tmp_path}))
    assert environment.studies() == []


def test_a_gpu_that_is_not_there_is_said_and_leaves_nothing(environment, specify, client):
    if "nvidia" in client.info()["Runtimes"]:
        pytest.skip("this engine has a GPU runtime")
    with pytest.raises(RetuneError, match="The Docker Engine offers no GPU"):
        environment.launch(specify(gpus="all"))
    assert environment.studies() == []


def test_it_describes_itself(environment):
    assert environment.describe().startswith("Docker Engine ")
    assert "image retune-standin (sha256:" in environment.describe()
