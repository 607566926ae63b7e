import os
from pathlib import Path

import pytest

from config.machine import available_memory

MIB = 1 << 20
PAGES = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1024 * MIB // 4096}


@pytest.fixture(autouse=True)
def a_gibibyte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", PAGES.__getitem__)


@pytest.mark.parametrize(
    ("groups", "files", "mib"),
    [
        ("0::/\n", {}, 1024),
        ("0::/\n", {"memory.max": "max\n"}, 1024),
        ("0::/\n", {"memory.max": f"{512 * MIB}\n"}, 512),
        ("0::/\n", {"memory.max": f"{4096 * MIB}\n"}, 1024),
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": f"{300 * MIB}\n"}, 300),
        ("5:memory:/x\n", {"memory/x/memory.limit_in_bytes": f"{200 * MIB}\n"}, 200),
        ("5:memory:/x\n", {"memory/x/memory.limit_in_bytes": "9223372036854771712\n"}, 1024),
        ("4:cpu:/x\n", {"memory/x/memory.limit_in_bytes": f"{200 * MIB}\n"}, 1024),
    ],
)
def test_the_narrowest_group_counts(
    tmp_path: Path, groups: str, files: dict[str, str], mib: int
) -> None:
    (tmp_path / "cgroup").write_text(groups)
    for name, text in files.items():
        path = tmp_path / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert available_memory(tmp_path / "cgroup", tmp_path / "fs") == mib * MIB


def test_without_control_groups_it_is_the_machines(tmp_path: Path) -> None:
    assert available_memory(tmp_path / "none", tmp_path) == 1024 * MIB
