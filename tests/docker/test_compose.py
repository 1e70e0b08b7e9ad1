"""compose.yaml, as Compose itself reads it, and what else has to fit together in it."""

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
import yaml

from jobs.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
COMPOSE = DOCKER / "compose.yaml"
ALL_PROFILES = "postgres,dashboard,webhook"


def compose_command() -> list[str]:
    """The plugin, or the program that Debian calls docker-compose; skips without either."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            done = subprocess.run([*command, "version"], capture_output=True, check=False)
            if done.returncode == 0:
                return command
    reason = "Compose is not installed: apt-get install docker-compose"
    if os.environ.get("CI"):
        pytest.fail(f"CI has to run this test, but {reason}")
    pytest.skip(reason)


def config(profiles: str = ALL_PROFILES, **variables: str) -> dict[str, Any]:
    """What ``docker compose config`` makes of the file: merged, with every variable filled in."""
    # Compose's plugin may be in the home folder; nothing else of this machine is to be seen.
    kept = {name: os.environ[name] for name in ("HOME", "DOCKER_CONFIG") if name in os.environ}
    with NamedTemporaryFile() as instead:  # of docker/.env
        done = subprocess.run(
            [*compose_command(), "--env-file", instead.name, "--file", str(COMPOSE), "config"],
            env={**kept, "PATH": os.environ["PATH"], "COMPOSE_PROFILES": profiles, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def everything() -> dict[str, Any]:
    return config()


def written() -> dict[str, Any]:
    found = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_compose_takes_it_and_profiles_add_to_it(everything: dict[str, Any]) -> None:
    profiles = {name: service.get("profiles") for name, service in written()["services"].items()}
    assert {name for name, wanted in profiles.items() if wanted is None} == {
        *("jenkins", "agent", "provision", "trainer", "git", "mail")
    }
    assert {name: wanted for name, wanted in profiles.items() if wanted} == {
        each: [each] for each in ALL_PROFILES.split(",")
    }
    assert set(everything["services"]) == set(profiles)


def test_what_stays_up_has_a_health_check_and_comes_back() -> None:
    for name, service in written()["services"].items():
        if name in ("provision", "trainer"):
            assert service["healthcheck"] == {"disable": True}, name
        else:
            assert service["healthcheck"]["test"][0] == "CMD", name
            assert service["restart"] == "unless-stopped", name


def test_it_starts_in_an_order_in_which_everything_is_there(everything: dict[str, Any]) -> None:
    services = everything["services"]
    assert {name: each["condition"] for name, each in services["agent"]["depends_on"].items()} == {
        "jenkins": "service_healthy",
        "trainer": "service_completed_successfully",
    }
    assert set(services["provision"]["depends_on"]) == {"jenkins", "git", "agent"}


def test_no_secret_is_written_down_or_handed_over_by_the_environment() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    found = written()
    for name, secret in found["secrets"].items():
        assert secret == {"file": f"secrets/{name}"}
    for name, service in found["services"].items():
        for variable in service.get("environment", {}):
            assert not re.search(r"PASSWORD(?!_FILE)|TOKEN|SECRET", variable), (name, variable)
    used = {each for service in found["services"].values() for each in service.get("secrets", [])}
    assert used == set(found["secrets"])
    assert not re.search(r"://[^\s:/@]+:[^\s/@]+@", text)


def test_secrets_are_never_committed() -> None:
    for name in written()["secrets"]:
        done = subprocess.run(
            ["git", "check-ignore", "--quiet", f"docker/secrets/{name}"], cwd=ROOT, check=False
        )
        assert done.returncode == 0, name


def test_the_secrets_are_made_once_and_fit(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make = [str(DOCKER / "make-secrets.sh"), str(folder)]
    subprocess.run(make, check=True, capture_output=True)
    before = {each.name: each.read_text() for each in folder.iterdir()}
    assert set(before) == set(written()["secrets"])
    # Jenkins takes 11 and 32 hexadecimal digits for a token, and nothing else.
    assert re.fullmatch(r"11[0-9a-f]{32}\n", before["retune_token"])
    assert len(set(before.values())) == len(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / "git_password").unlink()
    subprocess.run(make, check=True, capture_output=True)
    after = {each.name: each.read_text() for each in folder.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"git_password"}


def test_every_image_can_be_another_and_none_is_the_latest() -> None:
    for name, service in written()["services"].items():
        image = service["image"]
        variable = re.fullmatch(r"\$\{[A-Z_]+_IMAGE:-(\S+)\}", image)
        assert variable, (name, image)
        if "build" not in service:
            built = {each["image"] for each in written()["services"].values() if "build" in each}
            assert image in built or re.search(r":v?\d+\.\d+", variable.group(1)), (name, image)
        else:
            base = service["build"]["args"]["BASE"]
            found = re.fullmatch(r"\$\{[A-Z]+_BASE:-(\S+:\S+)\}", base)
            assert found, (name, base)
            assert not found.group(1).endswith(":latest")


def test_the_bases_are_those_of_the_dockerfiles() -> None:
    for name, service in written()["services"].items():
        if "build" not in service:
            continue
        build = service["build"]
        file = DOCKER / build["context"] / build.get("dockerfile", "Dockerfile")
        said = re.search(r"^ARG BASE=(\S+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        assert said, name
        assert build["args"]["BASE"].endswith(f":-{said.group(1)}}}"), name


def test_all_that_is_kept_is_in_a_named_volume(everything: dict[str, Any]) -> None:
    named = set(everything["volumes"])
    for name, volume in written()["volumes"].items():
        assert volume["name"].startswith("retune-"), name
    mounts = [
        str(each if isinstance(each, str) else each["source"])
        for service in everything["services"].values()
        for each in service.get("volumes", [])
    ]
    used = {each.partition(":")[0] for each in mounts}
    hosts = {each for each in used if each.startswith("/")}
    assert used - hosts == named
    checkout = {str(ROOT / "jobs"), str(ROOT / ".git")}
    assert hosts == {*checkout, "/srv/retune", "/var/run/docker.sock"}


def test_no_mount_hands_over_all_secrets(everything: dict[str, Any]) -> None:
    """A service sees those that it is given, and never docker/secrets or docker/.env."""
    for name, service in everything["services"].items():
        for each in service.get("volumes", []):
            source = Path(each.split(":")[0] if isinstance(each, str) else each["source"])
            for hidden in (DOCKER / "secrets", DOCKER / ".env"):
                assert not hidden.is_relative_to(source), (name, source)


def test_an_image_is_built_by_one_service_and_its_first_process_heeds_signals() -> None:
    services = written()["services"]
    built = [service["image"] for service in services.values() if "build" in service]
    assert len(set(built)) == len(built)
    agents = [each for each in services.values() if each["image"] == services["agent"]["image"]]
    assert len(agents) == 4
    assert all(each["init"] is True for each in agents)


def test_shared_data_has_the_same_path_inside_and_outside() -> None:
    """The engine looks mounts of trainings up on the host."""
    [shared] = [
        each for each in written()["services"]["agent"]["volumes"] if "RETUNE_SHARED" in each
    ]
    source, target = re.fullmatch(r"(\$\{[^}]+\}):(\$\{[^}]+\}):ro", shared).groups()  # type: ignore[union-attr]
    assert source == target
    elsewhere = config(RETUNE_SHARED="/data/retune")["services"]
    assert elsewhere["provision"]["environment"]["RETUNE_DATASETS"] == "/data/retune/datasets"


def test_the_engines_socket_is_the_agents_alone(everything: dict[str, Any]) -> None:
    having = {
        name
        for name, service in everything["services"].items()
        if "docker.sock" in json.dumps(service.get("volumes", []))
    }
    assert having == {"agent"}
    assert not any(service.get("privileged") for service in everything["services"].values())


def test_nothing_listens_beyond_this_machine(everything: dict[str, Any]) -> None:
    for name, service in written()["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name


def test_the_settings_are_settings(
    everything: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that provision is called with hold together, and no name is misspelt."""
    settings = everything["services"]["provision"]["environment"]
    known = {f"RETUNE_{name.upper()}" for name in Settings.model_fields}
    assert set(settings) <= known
    for name in [each for each in os.environ if each.startswith("RETUNE_")]:
        monkeypatch.delenv(name)
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value if value is not None else ""))
    monkeypatch.setenv("RETUNE_SETTINGS", "/nonexistent/settings.toml")
    monkeypatch.setenv("RETUNE_JENKINS_TOKEN", "from the secret")
    read = Settings()
    assert read.scheduler == "jenkins"
    assert read.environment == "docker"
    assert read.storage_url == "sqlite:////var/lib/retune/retune.sqlite3"
    assert read.jenkins_label in written_casc()["jenkins"]["nodes"][0]["permanent"]["labelString"]


def written_casc() -> dict[str, Any]:
    found = yaml.safe_load((DOCKER / "jenkins" / "casc.yaml").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found
