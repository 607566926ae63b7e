from pathlib import Path

import pytest

from core.errors import UsageError
from core.selection import Selection
from core.sources import SourceKind, parse_source
from scheduler.dataset import estimate, locate


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, which is the home, too."""
    for name in ("photos.2024/a.jpg", "a[1].jpg", "a.jpg", "film.mp4", "all.txt", "notes"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("b.jpg\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "source", "name"),
    [
        ("photos.2024", "photos.2024/", "photos.2024"),
        ("./photos.2024/", "photos.2024/", "photos.2024"),
        ("~/photos.2024", "photos.2024/", "photos.2024"),
        ("photos.2024/../a.jpg", "a.jpg", "a.jpg"),
        ("a[1].jpg", "a[[]1].jpg", "a[1].jpg"),
        ("*.jpg", "*.jpg", "*.jpg"),
        ("all.txt", "all.txt", "all.txt"),
    ],
)
def test_sources_become_absolute(folder: Path, text: str, source: str, name: str) -> None:
    found = locate(text)
    assert (found.source, found.name) == (f"{folder}/{source}", name)


def test_a_file_url_is_a_path(folder: Path) -> None:
    assert locate(f"file://{folder}/a.jpg").source == f"{folder}/a.jpg"
    assert locate(f"file://{folder}/photos.2024/").source == f"{folder}/photos.2024/"


def test_a_file_that_looks_like_a_glob_is_listed_alone(folder: Path) -> None:
    source = locate("a[1].jpg").source
    assert parse_source(source).kind is SourceKind.GLOB
    assert estimate(source, Selection()).examples == ("a[1].jpg",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        (" ", "empty"),
        ("a\0", "empty"),
        ("\udcff/", "not valid UTF-8"),
        ("missing", "no folder"),
        ("missing/", "no folder"),
        ("missing.jpg", "cannot be read"),
        ("missing/*.jpg", "cannot be read"),
        ("missing.csv", "cannot be read"),
        ("film.mp4", "is a video"),
        ("notes", "not an image, by its name"),
        ("gs://bucket/photos", "not supported"),
    ],
)
def test_what_cannot_be_read_is_said_at_once(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        locate(text)
    assert caught.value.hint is not None


def test_a_format_that_is_not_read_is_named(folder: Path) -> None:
    (folder / "photo.CR2").touch()
    with pytest.raises(UsageError, match="is camera raw, which is not read"):
        locate("photo.CR2")


def test_what_does_not_exist_yet_may_be_named(folder: Path) -> None:
    assert locate("missing/", must_exist=False).source == f"{folder}/missing/"


def test_a_name_is_fit_for_a_terminal(folder: Path) -> None:
    (folder / "new\nline").mkdir()
    assert locate("new\nline").name == "new\\nline"


def test_an_estimate_counts_what_the_planner_would(folder: Path) -> None:
    found = estimate(f"{folder}/", Selection(exclude=("a.jpg",), limit=1))
    assert (found.items, found.size, found.examples) == (1, 6, ("a[1].jpg",))
    assert found.passed_over == {"excluded": 1}
    everything = estimate(f"{folder}/", Selection())
    assert everything.items == 3
    assert everything.passed_over == {"not an image": 2, "a video, not an image": 1}
