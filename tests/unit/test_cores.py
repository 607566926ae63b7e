import os
from pathlib import Path

import pytest

from config.machine import available_cores, shares


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


def kernel(root: Path, groups: str, files: dict[str, str]) -> tuple[Path, Path]:
    """What the kernel says of this process's groups, and the files of the groups."""
    (root / "cgroup").write_text(groups)
    for name, text in files.items():
        path = root / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root / "cgroup", root / "fs"


@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {}, 8),
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "10000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "9900000 100000\n"}, 8),
        # The narrowest group counts, be it the process's own or one around it.
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
        ("0::/a\n", {"a/cpu.max": "100000 100000\n", "cpu.max": "300000 100000\n"}, 1),
        # The host's path, in a container that sees its own group as the root.
        ("0::/docker/f00\n", {"cpu.max": "400000 100000\n"}, 4),
        # Version 1.
        (
            "5:memory:/x\n4:cpu,cpuacct:/x\n",
            {
                "cpu,cpuacct/x/cpu.cfs_quota_us": "500000\n",
                "cpu,cpuacct/x/cpu.cfs_period_us": "100000\n",
            },
            5,
        ),
        (
            "4:cpu:/docker/f00\n",
            {"cpu/cpu.cfs_quota_us": "150000\n", "cpu/cpu.cfs_period_us": "50000\n"},
            3,
        ),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
    ],
)
def test_a_container_s_limit_counts(
    tmp_path: Path, groups: str, files: dict[str, str], cores: int
) -> None:
    assert available_cores(*kernel(tmp_path, groups, files)) == cores


def test_where_the_kernel_says_nothing_the_affinity_counts(tmp_path: Path) -> None:
    assert available_cores(tmp_path / "none", tmp_path) == 8


def test_cores_are_shared_fairly() -> None:
    assert shares(8, 1) == [8]
    assert shares(8, 3) == [3, 3, 2]
    assert shares(1, 2) == [1, 1]
