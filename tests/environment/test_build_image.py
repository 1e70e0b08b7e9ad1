"""The script behind `make image`, on a small image of its own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import docker

pytestmark = [pytest.mark.docker, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
DOCKERFILE = """\
ARG BASE=none
FROM ${BASE} AS build
COPY ca-bundle.crt /tmp/ca-bundle.crt
RUN wc -c < /tmp/ca-bundle.crt > /tmp/size
FROM ${BASE}
COPY --from=build /tmp/size /size
"""


@pytest.fixture
def build(tmp_path, trainer_image):
    shutil.copy(ROOT / "docker" / "build-image.sh", tmp_path)
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer" / "Dockerfile").write_text(DOCKERFILE)

    def run(**settings: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"BASE": trainer_image} | settings
        command = ["bash", "build-image.sh", "retune-build-test"]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    yield run
    with_image = docker.from_env().images.list("retune-build-test")
    for image in with_image:
        docker.from_env().images.remove(image.id, force=True)


def test_an_image_is_built_once_for_each_content(build, tmp_path):
    assert "building retune-build-test" in build().stdout
    assert "retune-build-test is up to date" in build().stdout
    (tmp_path / "trainer" / "hooks.py").write_text("changed = True\n")
    assert "building retune-build-test" in build().stdout


def test_a_private_ca_bundle_is_used_and_not_kept(build, tmp_path):
    bundle = tmp_path / "bundle.crt"
    bundle.write_text("certificates")
    result = build(CA_BUNDLE=str(bundle))
    assert result.returncode == 0, result.stderr
    client = docker.from_env()
    look = "cat /size; find / -xdev -name ca-bundle.crt 2>/dev/null; true"
    seen = client.containers.run("retune-build-test", ["-c", look], entrypoint="sh", remove=True)
    assert seen.split() == [b"12"]


def test_a_ca_bundle_that_is_not_there(build):
    result = build(CA_BUNDLE="/nowhere/bundle.crt")
    assert result.returncode == 1
    assert result.stderr == "image: CA_BUNDLE names /nowhere/bundle.crt, which cannot be read.\n"


def test_an_engine_that_is_away(build, tmp_path):
    result = build(DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert result.returncode == 1
    assert "the Docker Engine does not answer" in result.stderr
