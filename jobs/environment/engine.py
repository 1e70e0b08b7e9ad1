"""The Docker Engine: connecting, its errors in plain words, and the image."""

import getpass
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.images import Image
from docker.utils import parse_repository_tag

import docker
from jobs.errors import RetuneError

_PULL_REPORT_SECONDS = 5.0


def engine_address() -> str:
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn what the Docker package raises into one sentence with its remedy."""
    try:
        yield
    except APIError as error:
        raise RetuneError(_refusal(str(error.explanation or error))) from error
    except (DockerException, requests.RequestException) as error:
        raise RetuneError(_unreachable(error)) from error


def _unreachable(error: Exception) -> str:
    address = engine_address()
    if "PermissionError" in repr(error) or "Permission denied" in str(error):
        user = getpass.getuser()
        return (
            f"The user {user} may not use the Docker Engine at {address}; add the user to the "
            f"group docker (sudo usermod -aG docker {user}) and log in again."
        )
    if isinstance(error, requests.Timeout):
        return (
            f"The Docker Engine at {address} did not answer in time; see what it is doing "
            "(docker info, journalctl -u docker) and run this again."
        )
    return (
        f"The Docker Engine at {address} does not answer; start it (sudo systemctl start docker) "
        "or name another engine in DOCKER_HOST."
    )


def _refusal(explanation: str) -> str:
    if "could not select device driver" in explanation:
        return (
            "The Docker Engine offers no GPU; install the NVIDIA Container Toolkit there, or unset "
            "RETUNE_GPUS."
        )
    if "bind source path does not exist" in explanation:
        path = explanation.rpartition(": ")[2]
        return (
            f"The Docker Engine does not see {path}; where the jobs run in a container or on "
            "another machine, give the home folder as the engine sees it in RETUNE_ENGINE_HOME, "
            "and keep data sets at the same path on both sides."
        )
    return f"The Docker Engine refused: {explanation.strip().rstrip('.')}."


def names_a_registry(image: str) -> bool:
    """Whether the first part of an image's name is a host, as the engine itself decides it."""
    first, slash, _ = image.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")


def require_image(client: docker.DockerClient, image: str, say: Callable[[str], None]) -> Image:
    """The image, pulled first where its name names a registry and the engine has not got it.

    Raises RetuneError saying how to come by it.
    """
    try:
        return client.images.get(image)
    except ImageNotFound:
        if not names_a_registry(image):
            raise RetuneError(
                f"The image {image} is not on the Docker Engine at {engine_address()}; build it "
                "with `make image`, or name one of a registry in RETUNE_IMAGE."
            ) from None
    try:
        _pull(client, image, say)
        return client.images.get(image)
    except APIError as error:
        raise RetuneError(_pull_failed(image, str(error.explanation or error))) from error


def _pull_failed(image: str, reason: str) -> str:
    host = image.partition("/")[0]
    return (
        f"The image {image} cannot be pulled ({reason.strip().rstrip('.')}); check RETUNE_IMAGE, "
        f"and log in with `docker login {host}` where the registry wants it."
    )


def _pull(client: docker.DockerClient, image: str, say: Callable[[str], None]) -> None:
    """Pull with a line every few seconds, as a build log wants it."""
    repository, tag = parse_repository_tag(image)
    say(f"pulling {image} ...")
    layers: dict[str, tuple[int, int]] = {}
    begun = reported = time.monotonic()
    events: Iterator[dict[str, Any]] = client.api.pull(
        repository, tag=tag or "latest", stream=True, decode=True
    )
    for event in events:
        if "error" in event:
            raise RetuneError(_pull_failed(image, str(event["error"])))
        progress = event.get("progressDetail") or {}
        if "total" in progress and event.get("status") == "Downloading":
            layers[event["id"]] = (progress["current"], progress["total"])
        now = time.monotonic()
        if layers and now - reported >= _PULL_REPORT_SECONDS:
            reported = now
            done, total = (sum(column) / 1e6 for column in zip(*layers.values(), strict=True))
            say(f"pulling {image}: {done:.0f} of {total:.0f} MB")
    say(f"pulled {image} in {time.monotonic() - begun:.0f} s")
