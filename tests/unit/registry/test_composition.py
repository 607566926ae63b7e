from pathlib import Path

import pytest

from core.errors import UsageError
from registry.composition import read_composition

POSE = """
task = "keypoint"
[parts]
keypoint = "tinypose"
detector = "picodet"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models" / "pose.toml"


def refusal(file: Path, text: str) -> UsageError:
    file.write_text(text)
    with pytest.raises(UsageError, match=r"pose\.toml") as caught:
        read_composition(file)
    assert caught.value.hint
    return caught.value


def test_names_and_options(file: Path) -> None:
    file.write_text(POSE + '[options]\npersons = ["rower"]\n')
    found = read_composition(file)
    assert found.task == "keypoint"
    assert list(found.parts.items()) == [("detector", "picodet"), ("keypoint", "tinypose")]
    assert found.options == {"persons": ["rower"]}


def test_paths_start_at_the_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    file.write_text(
        'task = "ocr"\n[parts]\ntext_det = "./det"\ntext_rec = "~/rec"\norientation = "../turn"\n'
    )
    assert read_composition(Path(file.name)).parts == {
        "text_det": str(tmp_path / "models" / "det"),
        "text_rec": str(tmp_path / "home" / "rec"),
        "orientation": str(tmp_path / "turn"),
    }
    file.write_text('task = "ocr"\n[parts]\ntext_det = "/a/det"\ntext_rec = "en/rec"\n')
    assert read_composition(file).parts == {
        "text_det": "/a/det",
        "text_rec": str(tmp_path / "models" / "en" / "rec"),
    }


def test_nothing_at_all(file: Path) -> None:
    assert "names no task" in str(refusal(file, ""))
    file.unlink()
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_composition(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("task = ", "cannot be read"),
        ('task = "detect"\n[parts]\ndetector = "a"', "names the task 'detect'"),
        ("task = 3", "names the task 3"),
        ('task = "ocr"', "names no parts"),
        ('task = "ocr"\nparts = ["a"]', "names no parts"),
        ('task = "ocr"\n[parts]', "needs text_det and text_rec"),
        ('task = "keypoint"\n[parts]\nkeypoint = "a"', "needs detector"),
        (POSE + 'tracker = "b"', "has no part 'tracker'"),
        (POSE.replace('"picodet"', "7"), "detector is 7"),
        (POSE.replace('"picodet"', '" "'), "detector is ' '"),
        (POSE + "[option]\na = 1", "option is unknown"),
        ("options = 1\n" + POSE, "options is not a table"),
        ("#" * (1 << 20) + "#", "too large"),
    ],
)
def test_what_is_wrong_is_said(file: Path, text: str, said: str) -> None:
    if "too large" in said:
        file.write_text(text)
        with pytest.raises(UsageError, match=said):
            read_composition(file)
    else:
        assert said in str(refusal(file, text))


def test_no_text(file: Path) -> None:
    file.write_bytes(b"task = \xff")
    with pytest.raises(UsageError, match="cannot be read"):
        read_composition(file)
