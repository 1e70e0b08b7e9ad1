"""Pulling the operator's image from a real registry protocol, served on loopback."""

import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import docker
from jobs.environment.docker import DockerEnvironment
from jobs.errors import RetuneError

pytestmark = [pytest.mark.docker]


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def contents() -> dict[str, tuple[str, bytes]]:
    """The smallest image there is: path in the registry -> media type and content."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("empty"))
    layer = gzip.compress(file.getvalue(), mtime=0)
    platform = {"architecture": "amd64", "os": "linux", "config": {}}
    layers = {"type": "layers", "diff_ids": [digest(file.getvalue())]}
    config = json.dumps(platform | {"rootfs": layers}).encode()
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    part = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    described = "application/vnd.docker.container.image.v1+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {"mediaType": described, "size": len(config), "digest": digest(config)},
        "layers": [{"mediaType": part, "size": len(layer), "digest": digest(layer)}],
    }
    whole = json.dumps(manifest).encode()
    root = "/v2/team/trainer"
    return {
        "/v2/": ("application/json", b"{}"),
        f"{root}/manifests/7": (kind, whole),
        f"{root}/manifests/{digest(whole)}": (kind, whole),
        f"{root}/blobs/{digest(config)}": (described, config),
        f"{root}/blobs/{digest(layer)}": (part, layer),
    }


class Registry(BaseHTTPRequestHandler):
    contents = contents()

    def do_GET(self) -> None:
        kind, content = self.contents.get(self.path, ("application/json", b""))
        self.send_response(200 if content else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        if content:
            self.send_header("Docker-Content-Digest", digest(content))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_image_of_a_registry_is_pulled_once(registry, home):
    image = f"{registry}/team/trainer:7"
    said: list[str] = []
    environment = DockerEnvironment(home, image=image, say=said.append)
    try:
        assert image in environment.describe()
        assert said[0] == f"pulling {image} ..."
        assert said[-1].startswith(f"pulled {image} in ")
        said.clear()
        environment.describe()
        assert said == []
    finally:
        docker.from_env().images.remove(image)


def test_an_image_that_the_registry_has_not_got(registry, home, specify):
    environment = DockerEnvironment(home, image=f"{registry}/team/none:7", say=lambda _: None)
    with pytest.raises(RetuneError) as caught:
        environment.launch(specify())
    assert f"The image {registry}/team/none:7 cannot be pulled" in str(caught.value)
    assert f"`docker login {registry}`" in str(caught.value)
    assert environment.studies() == []


def test_a_registry_that_is_away(registry, home, specify):
    host = registry.rpartition(":")[0] + ":1"
    environment = DockerEnvironment(home, image=f"{host}/trainer", say=lambda _: None)
    with pytest.raises(RetuneError, match="cannot be pulled"):
        environment.launch(specify())
