"""Trials in a container of the Docker Engine, one container for each study."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from docker.errors import APIError, NotFound
from docker.models.containers import Container

import docker
from jobs.environment.base import Condition, Specification, State
from jobs.environment.container import (
    HOME_LABEL,
    SPECIFICATION_LABEL,
    STUDY_LABEL,
    container_name,
    container_options,
    give_spool,
)
from jobs.environment.engine import plain_errors, require_image
from jobs.environment.heartbeat import Patience, forget_heartbeat, judge_heartbeat
from jobs.environment.specification import LOG, fingerprint, locked, log_tail, prepare
from jobs.environment.spool import forget_images
from jobs.errors import RetuneError

_STOP_SECONDS = 5
_REMOVAL_SECONDS = 60.0
_KEPT_LINES = 200
_KEPT_BYTES = 64 * 1024


class DockerEnvironment:
    """Containers on the engine that ``DOCKER_HOST`` names (a local or a remote one).

    ``home`` is Retune's home folder; only containers labelled with it are seen or touched.
    ``image`` and ``gpus`` hold where a specification does not say.

    Docker outside of Docker: where the jobs run in a container and talk to the host's engine by
    its socket, mounts are looked up on the host. ``host_home`` is the home folder as the engine
    sees it; paths below ``home`` are translated, data sets elsewhere are to be mounted into the
    jobs' container at the path that they have on the host.

    Every call raises RetuneError with a remedy where the engine is away, may not be used, or
    refuses.
    """

    def __init__(
        self,
        home: Path,
        *,
        image: str = "retune-trainer",
        gpus: str | None = None,
        host_home: Path | None = None,
        patience: Patience | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self._home = home.absolute()
        self._engine_home = str(host_home or self._home.resolve())
        self._image = image
        self._gpus = gpus
        self._patience = patience or Patience()
        self._say = say
        self._client: docker.DockerClient | None = None

    def launch(self, specification: Specification) -> State:
        specification = replace(
            specification,
            image=specification.image or self._image,
            gpus=specification.gpus or self._gpus,
        )
        prepare(specification)
        with self._engine() as client, locked(specification.folder):
            container = self._find(client, specification.study)
            if container is not None:
                state = self._judge(container, specification.trials)
                wanted = fingerprint(specification)
                if not state.needs_relaunch and container.labels.get(SPECIFICATION_LABEL) == wanted:
                    return state
            options = self._options(client, specification)
            if container is not None:
                self._take_away(container, specification.folder)
            forget_heartbeat(specification.trials)
            container = client.containers.create(**options)
            try:
                container.start()
            except APIError:
                with suppress(APIError):
                    container.remove(force=True)
                raise
            container.reload()
            return self._judge(container, specification.trials)

    def state(self, study: str) -> State:
        with self._engine() as client:
            container = self._find(client, study)
            if container is None:
                return State(Condition.ABSENT, "there is no container")
            return self._judge(container, self._folder(study) / "trials")

    def logs(self, study: str, lines: int = 50) -> str:
        with self._engine() as client:
            container = self._find(client, study)
            if container is not None:
                return _log(container, lines)
        return log_tail(self._folder(study), lines)

    def remove(self, study: str) -> None:
        with self._engine() as client, locked(self._folder(study)):
            container = self._find(client, study)
            if container is not None:
                self._take_away(container, self._folder(study))
            forget_images(self._folder(study))

    def studies(self) -> list[str]:
        with self._engine() as client:
            label = f"{HOME_LABEL}={self._engine_home}"
            found = client.api.containers(all=True, filters={"label": label})
            return sorted(each["Labels"][STUDY_LABEL] for each in found)

    def describe(self) -> str:
        with self._engine() as client:
            image = require_image(client, self._image, self._say)
            version = client.version()["Version"]
            return f"Docker Engine {version}, image {self._image} ({image.short_id})"

    @contextmanager
    def _engine(self) -> Iterator[docker.DockerClient]:
        with plain_errors():
            if self._client is None:
                self._client = docker.from_env()
            yield self._client

    def _folder(self, study: str) -> Path:
        return self._home / "studies" / study

    def _find(self, client: docker.DockerClient, study: str) -> Container | None:
        try:
            return client.containers.get(container_name(study, self._engine_home))
        except NotFound:
            return None

    def _options(self, client: docker.DockerClient, specification: Specification) -> dict[str, Any]:
        image = specification.image or self._image
        require_image(client, image, self._say)
        return container_options(
            specification,
            home=self._engine_home,
            image=image,
            gpus=specification.gpus,
            user=give_spool(specification.trials),
            engine_cpus=client.info()["NCPU"],
            engine_path=self._engine_path,
        )

    def _engine_path(self, path: Path) -> str:
        place, home = path.resolve(), self._home.resolve()
        if place.is_relative_to(home):
            return os.path.join(self._engine_home, place.relative_to(home))
        return str(place)

    def _judge(self, container: Container, trials: Path) -> State:
        state = container.attrs["State"]
        identifier = container.short_id
        if state["Status"] == "running":
            health = state.get("Health") or {}
            if health.get("Status") == "unhealthy":
                last = (health.get("Log") or [{}])[-1].get("Output", "").strip()
                return State(
                    Condition.UNHEALTHY,
                    f"its health check fails: {last or 'no output'}",
                    identifier,
                )
            return judge_heartbeat(trials, _seconds(state["StartedAt"]), self._patience, identifier)
        if state["Status"] in ("paused", "restarting"):
            return State(Condition.UNHEALTHY, f"the container is {state['Status']}", identifier)
        if state["Status"] == "created":
            return State(Condition.DEAD, "the container was never started", identifier)
        code = state["ExitCode"]
        # The flag is raised as well where only a script was killed; the trainer outlives that.
        if state["OOMKilled"] and code == 137:
            memory = container.attrs["HostConfig"]["Memory"]
            return State(
                Condition.OUT_OF_MEMORY,
                f"the container was killed at its memory limit of {memory // 1024**2} MiB",
                identifier,
            )
        signal = f" (signal {code - 128})" if code > 128 else ""
        error = f": {state['Error']}" if state.get("Error") else ""
        return State(
            Condition.DEAD,
            f"the container ended with exit code {code}{signal}{error}",
            identifier,
        )

    def _take_away(self, container: Container, folder: Path) -> None:
        """Remove a container; its last lines are kept in the study's folder."""
        with suppress(NotFound):
            state = self._judge(container, folder / "trials")
            if container.status == "paused":
                container.unpause()
            container.stop(timeout=_STOP_SECONDS)
            if folder.is_dir():
                when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
                title = f"{when} {container.name} {container.short_id} removed, "
                kept = _log(container, _KEPT_LINES)[-_KEPT_BYTES:]
                with (folder / LOG).open("a", encoding="utf-8") as log:
                    log.write(f"== {title}was {state.condition.value}: {state.detail}\n{kept}\n")
            container.remove(force=True, v=True)
        self._wait_until_gone(container)

    def _wait_until_gone(self, container: Container) -> None:
        deadline = time.monotonic() + _REMOVAL_SECONDS
        while time.monotonic() < deadline:
            try:
                container.reload()
            except NotFound:
                return
            time.sleep(0.1)
        raise RetuneError(
            f"The container {container.name} does not go away; see `docker inspect "
            f"{container.short_id}`, or restart the Docker Engine."
        )


def _log(container: Container, lines: int) -> str:
    output: bytes = container.logs(tail=lines)
    return output.decode(errors="replace").rstrip("\n")


def _seconds(moment: str) -> float:
    """The engine gives nanoseconds, of which Python reads six digits."""
    return datetime.fromisoformat(moment[:19]).replace(tzinfo=UTC).timestamp()
