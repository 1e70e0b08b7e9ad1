"""What a cgroup allows, read from files as the kernel writes them."""

import os
from pathlib import Path

import pytest
from trainer.limits import cpu_share, memory_limit

Files = dict[str, str | bytes]


def cgroups(folder: Path, own: str | None, files: Files) -> tuple[Path, Path]:
    """A tree of cgroups, and a process in one of them."""
    root, process = folder / "root", folder / "process"
    process.mkdir()
    if own is not None:
        (process / "cgroup").write_text(own)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root, process


def quota(folder: str, microseconds: int) -> Files:
    """cgroup 1's files for a folder."""
    return {
        f"{folder}/cpu.cfs_quota_us": f"{microseconds}\n",
        f"{folder}/cpu.cfs_period_us": "100000\n",
    }


@pytest.mark.parametrize(
    ("cgroup", "files", "limit"),
    [
        ("0::/", {"memory.max": "4294967296\n"}, 4 * 2**30),
        ("0::/", {"memory.max": "max\n"}, None),
        ("0::/box", {"box/memory.max": "1024\n", "memory.max": "max\n"}, 1024),
        ("0::/box/inner", {"box/inner/memory.max": "2048\n", "box/memory.max": "1024\n"}, 1024),
        ("5:memory:/box", {"memory/box/memory.limit_in_bytes": "2048\n"}, 2048),
        ("5:memory:/box", {"memory/box/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ("", {}, None),
    ],
)
def test_the_memory_that_a_cgroup_may_use(
    tmp_path: Path, cgroup: str, files: Files, limit: int | None
) -> None:
    assert memory_limit(*cgroups(tmp_path, cgroup, files)) == limit


NONE = "max 100000\n"
HALF, ONE_AND_A_HALF, TWO, THREE = (f"{each}0000 100000\n" for each in (5, 15, 20, 30))
INNER = "0::/box/inner\n"
OLDER_INNER = "4:cpu,cpuacct:/box/inner\n3:cpuset:/\n0::/\n"

SHARES: dict[str, tuple[str | None, Files, int]] = {
    # cgroup 2
    "whole": ("0::/\n", {"cpu.max": TWO}, 2),
    "less than one": ("0::/\n", {"cpu.max": HALF}, 1),
    "rounded up": ("0::/\n", {"cpu.max": ONE_AND_A_HALF}, 2),
    "no limit": ("0::/\n", {"cpu.max": NONE}, 8),
    "more than there are": ("0::/\n", {"cpu.max": "1600000 100000\n"}, 8),
    "another period": ("0::/\n", {"cpu.max": "150000 50000\n"}, 3),
    "nested": (INNER, {"box/inner/cpu.max": THREE, "box/cpu.max": NONE}, 3),
    "less above": (INNER, {"box/inner/cpu.max": THREE, "box/cpu.max": TWO}, 2),
    "less below": (INNER, {"box/inner/cpu.max": TWO, "box/cpu.max": THREE}, 2),
    "only above": (INNER, {"box/inner/cpu.max": NONE, "box/cpu.max": THREE}, 3),
    "a neighbour's": (INNER, {"box/inner/cpu.max": THREE, "box/other/cpu.max": HALF}, 3),
    "a place outside the container": ("0::/../other\n", {"cpu.max": THREE}, 3),
    # cgroup 1
    "older": ("4:cpu:/\n", quota("cpu", 200_000), 2),
    "older, less than one": ("4:cpu:/\n", quota("cpu", 50_000), 1),
    "older, rounded up": ("4:cpu:/\n", quota("cpu", 150_000), 2),
    "older, no limit": ("4:cpu:/\n", quota("cpu", -1), 8),
    "older, nested": (OLDER_INNER, quota("cpu/box/inner", 300_000) | quota("cpu", -1), 3),
    "older, less above": (
        OLDER_INNER,
        quota("cpu/box/inner", 300_000) | quota("cpu/box", 200_000),
        2,
    ),
    "older, in a container": (OLDER_INNER, quota("cpu", 300_000), 3),
    "older, another controller's": ("3:cpuset:/box\n", quota("cpu/box", 100_000), 8),
    # Missing and odd
    "no process": (None, {}, 8),
    "no process, but a root": (None, {"cpu.max": TWO}, 2),
    "no files": (INNER, {}, 8),
    "half of the files": ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "200000\n"}, 8),
    "an odd process": ("nonsense\n\n:::\n", {"cpu.max": TWO}, 2),
    "an odd one below": (INNER, {"box/inner/cpu.max": "two of three\n", "box/cpu.max": TWO}, 2),
    "empty": ("0::/\n", {"cpu.max": ""}, 8),
    "a word": ("0::/\n", {"cpu.max": "many"}, 8),
    "one number": ("0::/\n", {"cpu.max": "200000\n"}, 8),
    "not finite": ("0::/\n", {"cpu.max": "nan inf\n"}, 8),
    "no period": ("0::/\n", {"cpu.max": "200000 0\n"}, 8),
    "no time at all": ("0::/\n", {"cpu.max": "0 100000\n"}, 8),
    "no text": ("0::/\n", {"cpu.max": b"\xff\xfe"}, 8),
}


@pytest.mark.parametrize("name", SHARES)
def test_the_threads_that_a_cgroup_lets_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    own, files, threads = SHARES[name]
    assert cpu_share(*cgroups(tmp_path, own, files)) == threads
