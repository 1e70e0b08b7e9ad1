"""What a marked test needs. Without it the test is skipped with the reason; under CI it fails."""

import importlib.util
import os
from functools import cache

import pytest

TRAINER_IMAGE = os.environ.get("RETUNE_IMAGE") or "retune-trainer"


@cache
def _missing(marker: str) -> str | None:
    if marker == "docker":
        from docker.errors import DockerException, ImageNotFound

        import docker

        try:
            docker.from_env(timeout=10).images.get(TRAINER_IMAGE)
        except ImageNotFound:
            return f"the image {TRAINER_IMAGE} is missing: make image"
        except DockerException as error:
            return f"no Docker Engine answers: {error}"
    if marker in ("tensorflow", "smtp"):
        package = {"tensorflow": "tensorflow", "smtp": "aiosmtpd"}[marker]
        if importlib.util.find_spec(package) is None:
            return f"the package {package} is not installed"
    if marker == "jenkins":
        names = ("JENKINS_URL", "JENKINS_USER", "JENKINS_TOKEN")
        if unset := [name for name in names if not os.environ.get(name)]:
            return f"no Jenkins controller: {', '.join(unset)} not set"
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in ("tensorflow", "docker", "smtp", "jenkins"):
        if item.get_closest_marker(marker) and (reason := _missing(marker)):
            if os.environ.get("CI") and marker != "jenkins":
                pytest.fail(f"CI has to run this test, but {reason}")
            pytest.skip(reason)


@pytest.fixture(scope="session")
def trainer_image() -> str:
    return TRAINER_IMAGE
