"""What a cgroup allows, read from files as the kernel writes them."""

from pathlib import Path

import pytest
from trainer.limits import memory_limit


@pytest.mark.parametrize(
    ("cgroup", "files", "limit"),
    [
        ("0::/", {"memory.max": "4294967296\n"}, 4 * 2**30),
        ("0::/", {"memory.max": "max\n"}, None),
        ("0::/box", {"box/memory.max": "1024\n", "memory.max": "max\n"}, 1024),
        ("5:memory:/box", {"memory/box/memory.limit_in_bytes": "2048\n"}, 2048),
        ("5:memory:/box", {"memory/box/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ("", {}, None),
    ],
)
def test_the_memory_that_a_cgroup_may_use(
    tmp_path: Path, cgroup: str, files: dict[str, str], limit: int | None
) -> None:
    (tmp_path / "process").mkdir()
    (tmp_path / "process" / "cgroup").write_text(cgroup)
    for name, text in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert memory_limit(tmp_path / "root", tmp_path / "process") == limit
