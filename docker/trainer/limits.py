"""What the surroundings allow and did: CPU share, memory, out-of-memory kills (cgroup 1 and 2)."""

import math
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
_UNLIMITED = 2**60
"""From about here on, cgroup 1 means that there is no limit."""


def cpu_share(root: Path = CGROUPS) -> int:
    """How many threads make sense here: the cgroup's CPU quota, rounded up, or the CPUs we may use.

    cgroup 2: ``cpu.max`` is "<quota> <period>" or "max <period>", in microseconds; cgroup 1:
    ``cpu/cpu.cfs_quota_us`` (-1: none) and ``cpu/cpu.cfs_period_us``.
    """
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    available = available or os.cpu_count() or 1
    unified = _text(root / "cpu.max").split()
    if len(unified) == 2 and unified[0] != "max":
        quota, period = float(unified[0]), float(unified[1])
    else:
        quota = float(_text(root / "cpu" / "cpu.cfs_quota_us") or -1)
        period = float(_text(root / "cpu" / "cpu.cfs_period_us") or 0)
    if quota <= 0 or period <= 0:
        return available
    return max(1, min(available, math.ceil(quota / period)))


def memory_limit(root: Path = CGROUPS, process: Path = Path("/proc/self")) -> int | None:
    """How many bytes our cgroup may use; None where nothing limits it."""
    for file in _memory_files(root, process, "memory.max", "memory.limit_in_bytes"):
        limit = _text(file)
        if limit.isdecimal() and int(limit) < _UNLIMITED:
            return int(limit)
    return None


def out_of_memory_kills(root: Path = CGROUPS, process: Path = Path("/proc/self")) -> int:
    """How often the kernel has killed a process of our cgroup for its memory; 0 where unknown."""
    for file in _memory_files(root, process, "memory.events", "memory.oom_control"):
        for line in _text(file).splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return 0


def _memory_files(root: Path, process: Path, unified: str, older: str) -> list[Path]:
    """Where a file may be, by its names: our own cgroup, then the root, ours in a container."""
    files = []
    for line in _text(process / "cgroup").splitlines():
        _, controllers, place = line.split(":", 2)
        below = place.lstrip("/")
        if not controllers:
            files.append(root / below / unified)
        elif "memory" in controllers.split(","):
            files.append(root / "memory" / below / older)
    return [*files, root / unified, root / "memory" / older]


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
