"""What the surroundings allow and did: CPU share, memory, out-of-memory kills (cgroup 1 and 2)."""

import math
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
_UNLIMITED = 2**60
"""From about here on, cgroup 1 means that there is no limit."""


def cpu_share(root: Path = CGROUPS, process: Path = Path("/proc/self")) -> int:
    """How many threads make sense here: the least CPU quota of our cgroup and of those above it,
    rounded up, or the CPUs we may use."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    available = available or os.cpu_count() or 1
    quotas = [_cpu_quota(folder) for folder in _folders(root, process, "cpu")]
    return math.ceil(min(available, *quotas))


def memory_limit(root: Path = CGROUPS, process: Path = Path("/proc/self")) -> int | None:
    """How many bytes our cgroup and those above it let us use; None where nothing limits it."""
    found = map(_text, _memory_files(root, process, "memory.max", "memory.limit_in_bytes"))
    limits = (int(limit) for limit in found if limit.isdecimal())
    return min((limit for limit in limits if limit < _UNLIMITED), default=None)


def out_of_memory_kills(root: Path = CGROUPS, process: Path = Path("/proc/self")) -> int:
    """How often the kernel has killed a process of our cgroup for its memory; 0 where unknown."""
    for file in _memory_files(root, process, "memory.events", "memory.oom_control"):
        for line in _text(file).splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return 0


def _cpu_quota(folder: Path) -> float:
    """How many CPUs a cgroup may use; infinitely many where nothing limits it.

    cgroup 2: ``cpu.max`` is "<quota> <period>" or "max <period>", in microseconds; cgroup 1:
    ``cpu.cfs_quota_us`` (-1: none) and ``cpu.cfs_period_us``.
    """
    words = _text(folder / "cpu.max").split()
    older = [_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")]
    try:
        quota, period = map(int, words or older)
        cpus = quota / period
    except (ValueError, ArithmeticError):
        return math.inf
    return cpus if cpus > 0 else math.inf


def _memory_files(root: Path, process: Path, unified: str, older: str) -> list[Path]:
    folders = _folders(root, process, "memory")
    return [folder / name for folder in folders for name in (unified, older)]


def _folders(root: Path, process: Path, controller: str) -> list[Path]:
    """Our own cgroup's folder and those above it, then the roots, which are ours in a container."""
    folders = []
    for line in _text(process / "cgroup").splitlines():
        # "<hierarchy>:<controllers>:<place>"; cgroup 2 names no controllers.
        controllers, _, place = line.partition(":")[2].partition(":")
        if not controllers or controller in controllers.split(","):
            top = root / controller if controllers else root
            own = top / place.lstrip("/")
            folders += [own, *(each for each in own.parents if each.is_relative_to(top))]
    return [*folders, root, root / controller]


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""
