"""A specification as a container: which limits, which mounts, which user."""

import hashlib
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

from jobs.environment.base import Specification
from jobs.environment.specification import fingerprint
from jobs.errors import RetuneError

STUDY_LABEL = "retune.study"
HOME_LABEL = "retune.home"
SPECIFICATION_LABEL = "retune.specification"

SOURCE, TRIALS, DATA = "/retune/source", "/retune/trials", "/retune/data"

# Who runs a trainer whose spool belongs to root: an identity that owns nothing on the host.
UNPRIVILEGED = 10001

# Places that a container needs as its image made them, with all that is below.
_SYSTEM = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run"),
    *("/sbin", "/sys", "/usr", "/var/lib", "/var/run", "/retune", "/opt/retune", "/opt/venv"),
    # Says to a program that it is in a container.
    "/.dockerenv",
)
# Places that the image and a script may both have something below.
_SHARED = ("/opt", "/var", "/tmp")
_PATH = re.compile(r"/[\w.@+() -]+(/[\w.@+(){}:*=, -]*)*")
_MOST_PLACES = 16
# Places that may hold a mount, and may not be one.
_ROOTS = ("/", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", "/var")


def container_name(study: str, home: str) -> str:
    """One name for a study of a home, so that two launches cannot both succeed."""
    return f"retune-{study}-{hashlib.sha256(home.encode()).hexdigest()[:8]}"


def check_absolute(path: str) -> str:
    """The path that a script names, fit to be mounted at. Raises RetuneError where it is not."""
    place = PurePosixPath(os.path.normpath(path).replace("//", "/"))
    if (
        not place.is_absolute()
        or ".." in PurePosixPath(path).parts
        or str(place) in _ROOTS
        or any(place.is_relative_to(kept) for kept in _SYSTEM)
    ):
        raise RetuneError(
            f"The script reads its data from {path}, where an environment cannot show a data set; "
            "let it name a path of its own, such as /data/photos."
        )
    return str(place)


def writable_places(paths: Iterable[str]) -> tuple[str, ...]:
    """The outermost folders of absolute paths, each of which may be made a place to write to.

    ``/home/accuracy.txt`` gives ``/home``, and so does ``/home/``. ``/accuracy.txt`` may be a file
    and gives nothing. Nor do paths of the system, and ``/tmp``, which is such a place anyway. Not
    more than some: strings may look like paths and be none.
    """
    found: set[str] = set()
    for path in paths:
        parts = PurePosixPath(path).parts
        if len(parts) < 2 or parts[0] != "/" or not _PATH.fullmatch(path):
            continue
        top = f"/{parts[1]}"
        if len(parts) == 2 and (not path.endswith("/") or PurePosixPath(path).suffix):
            continue
        if top in _SHARED and len(parts) > 3:
            top = f"{top}/{parts[2]}"
        if ".." not in parts and top not in _SHARED and not _is_system(top):
            found.add(top)
    return tuple(sorted(found)[:_MOST_PLACES])


def _is_system(place: str) -> bool:
    return any(PurePosixPath(place).is_relative_to(kept) for kept in _SYSTEM)


def give_spool(trials: Path) -> tuple[int, int]:
    """The user and group that a trainer runs as: those of the spool, and never root.

    The files stay ours where the spool is an ordinary user's. Where it is root's, it is given to
    an unprivileged identity; links in it are changed themselves and never followed.
    """
    owner = trials.stat()
    user = owner.st_uid or UNPRIVILEGED
    group = owner.st_gid or user
    if os.geteuid() == 0:
        for _, folders, files, parent in os.fwalk(trials, follow_symlinks=False):
            os.chown(parent, user, group)
            for name in (*folders, *files):
                os.chown(name, user, group, dir_fd=parent, follow_symlinks=False)
    return user, group


def container_options(
    specification: Specification,
    *,
    home: str,
    image: str,
    gpus: str | None,
    user: tuple[int, int],
    engine_cpus: int,
    engine_path: Callable[[Path], str],
) -> dict[str, Any]:
    """The arguments of ``docker.containers.create``.

    ``engine_path`` says where the engine finds a folder of ours. An engine refuses a share of more
    cores than it has (``engine_cpus``), so a larger one means all of them.
    """
    limits = specification.limits
    # A folder that the image has keeps its mode, so that its owner has to be said.
    place = f"size={limits.memory // 16},mode=1777,uid={user[0]},gid={user[1]}"
    # A data set that is mounted at such a place would be hidden by it.
    shown = {check_absolute(path) for path in specification.absolute}
    writable = [each for each in specification.writable if each not in shown]
    cpus = min(limits.cpus, float(engine_cpus))
    return {
        "image": image,
        "name": container_name(specification.study, home),
        "command": [
            *("python", "-m", "trainer", "--source", SOURCE, "--trials", TRIALS),
            *("--data", DATA, "--threads", str(max(1, math.ceil(cpus)))),
        ],
        "labels": {
            STUDY_LABEL: specification.study,
            HOME_LABEL: home,
            SPECIFICATION_LABEL: fingerprint(specification),
        },
        "hostname": "retune",
        "user": f"{user[0]}:{user[1]}",
        # An arbitrary identity has no entry in the image's passwd, which libraries fall back on.
        "environment": {"HOME": "/tmp", "USER": "retune", "LOGNAME": "retune"},
        "network_mode": "none",
        "ipc_mode": "private",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "read_only": True,
        "init": True,
        "mem_limit": limits.memory,
        "memswap_limit": limits.memory,
        "nano_cpus": int(cpus * 1e9),
        "pids_limit": limits.processes,
        "shm_size": limits.shared_memory,
        # Files there count as memory; a quarter leaves the training the rest.
        "tmpfs": {
            "/tmp": f"size={limits.memory // 4},mode=1777",
            # Filled with links mostly: what is written goes to the trial's folder.
            **dict.fromkeys(writable, place),
        },
        "mounts": list(_mounts(specification, engine_path)),
        "device_requests": _devices(gpus),
        "ulimits": [Ulimit(name="core", soft=0, hard=0)],
        "log_config": LogConfig(type="json-file", config={"max-size": "10m", "max-file": "2"}),
        # The operator's proxy settings may carry a password.
        "use_config_proxy": False,
        "detach": True,
    }


def _mounts(specification: Specification, engine_path: Callable[[Path], str]) -> Iterator[Mount]:
    def mount(target: str, folder: Path, *, read_only: bool = True) -> Mount:
        return Mount(target, engine_path(folder), type="bind", read_only=read_only)

    yield mount(SOURCE, specification.source)
    yield mount(TRIALS, specification.trials, read_only=False)
    if not specification.data:
        # The data root is there for a script without data as well.
        yield Mount(DATA, None, type="tmpfs", read_only=True)
    for name, folder in sorted(specification.data.items()):
        yield mount(f"{DATA}/{name}", folder)
    for path, folder in sorted(specification.absolute.items()):
        yield mount(check_absolute(path), folder)


def _devices(gpus: str | None) -> list[DeviceRequest]:
    if not gpus:
        return []
    if gpus == "all":
        return [DeviceRequest(count=-1, capabilities=[["gpu"]])]
    identifiers = [part.strip() for part in gpus.split(",") if part.strip()]
    return [DeviceRequest(device_ids=identifiers, capabilities=[["gpu"]])]
