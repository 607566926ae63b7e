from pathlib import Path

import pytest

from cli.doctor.packages import installed, judge

WANTED = [
    "numpy>=1.26,<3",
    "opencv-python-headless>=4.11,<5",
    "paddlepaddle==3.2.2",
    "pytest>=8; extra == 'dev'",
]
LOCK = """\
numpy==2.4.6 ; python_full_version < '3.0' \\
    --hash=sha256:00
numpy==2.5.5 ; python_full_version >= '3.0' \\
    --hash=sha256:00
    # via paddlepaddle
opencv-python-headless==4.14.0.94 \\
    --hash=sha256:00
"""
GOOD = {"numpy": "2.5.5", "opencv_python_headless": "4.14.0.94", "paddlepaddle": "3.2.2"}


def findings(folder: Path, packages: dict[str, str]) -> list[tuple[str, str, str | None]]:
    """What is said of an environment into which these packages are installed."""
    for name, version in packages.items():
        info = folder / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        info.joinpath("METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    found = judge(installed([str(folder)]), WANTED, LOCK)
    return [(each.status, each.found, each.mend) for each in found]


def test_what_is_locked_is_in_order(tmp_path: Path) -> None:
    assert findings(tmp_path, GOOD) == [("ok", "as locked", None)]


@pytest.mark.parametrize(
    "rival", [{"opencv-python": "4.14.0.94"}, {"opencv-contrib-python": "4.10.0"}]
)
def test_two_opencvs_fail(tmp_path: Path, rival: dict[str, str]) -> None:
    [(status, found, mend)] = findings(tmp_path, GOOD | rival)
    assert status == "failed"
    assert next(iter(rival)) in found
    assert "pip uninstall opencv-python-headless opencv-" in str(mend)


def test_two_paddles_fail(tmp_path: Path) -> None:
    [(status, found, _)] = findings(tmp_path, GOOD | {"paddlepaddle-gpu": "3.0.0"})
    assert status == "failed"
    assert "paddlepaddle and paddlepaddle-gpu overwrite" in found


def test_the_gpu_s_paddle_stands_for_the_other(tmp_path: Path) -> None:
    gpu = {name: version for name, version in GOOD.items() if name != "paddlepaddle"}
    assert findings(tmp_path, gpu | {"paddlepaddle-gpu": "3.0.0"})[0][0] == "ok"


def test_another_major_of_numpy_fails(tmp_path: Path) -> None:
    [(status, found, mend), (less, _, _)] = findings(tmp_path, GOOD | {"numpy": "3.0.1"})
    assert (status, less) == ("failed", "warning")
    assert found == "numpy is 3.0.1, but has to be <3,>=1.26"
    assert mend == "pip install 'numpy<3,>=1.26'"


def test_what_is_missing_fails(tmp_path: Path) -> None:
    [(status, found, _)] = findings(tmp_path, {"numpy": "2.5.5", "paddlepaddle": "3.2.2"})
    assert status == "failed"
    assert found.startswith("opencv-python-headless is missing")


def test_what_differs_from_the_lock_is_a_warning(tmp_path: Path) -> None:
    [(status, found, mend)] = findings(tmp_path, GOOD | {"numpy": "2.4.6"})
    assert status == "warning"
    assert found == "not as locked: numpy 2.4.6 (==2.5.5)"
    assert "requirements.lock" in str(mend)
