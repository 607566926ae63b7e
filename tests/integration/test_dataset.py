from pathlib import Path

import pytest

from core.errors import UsageError
from core.selection import Selection
from core.sources import SourceKind, parse_source
from scheduler.dataset import estimate, locate, locate_all, why_empty


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
    assert everything.passed_over == {"not an image": 2, "video": 1}


def test_what_is_hidden_is_passed_over_unless_it_is_asked_for(folder: Path) -> None:
    (folder / "photos.2024/.thumbs").mkdir()
    for name in (".b.jpg", "._a.jpg", ".thumbs/a.jpg", ".thumbs/notes"):
        (folder / "photos.2024" / name).touch()
    source = f"{folder}/photos.2024/"
    found = estimate(source, Selection())
    assert (found.items, found.passed_over) == (1, {"hidden": 4})
    found = estimate(source, Selection(hidden=True))
    assert (found.items, found.passed_over) == (3, {"AppleDouble": 1, "not an image": 1})


def test_whoever_names_an_item_means_it(folder: Path) -> None:
    (folder / ".b.jpg").touch()
    (folder / "list.txt").write_text(".b.jpg\n.hidden/c.jpg\n._d.jpg\n")
    assert estimate(f"{folder}/.b.jpg", Selection()).items == 1
    found = estimate(f"{folder}/list.txt", Selection())
    assert (found.items, found.passed_over) == (2, {"AppleDouble": 1})


def test_several_sources_are_one_dataset(folder: Path) -> None:
    (folder / "more/photos.2024").mkdir(parents=True)
    found = locate_all(["photos.2024", "more/photos.2024/", "a.jpg", "a[1].jpg", "all.txt"])
    assert found.name == "photos.2024 and 4 more"
    assert dict(found.several) == {
        "photos.2024": f"{folder}/photos.2024/",
        "photos.2024-2": f"{folder}/more/photos.2024/",
        "a.jpg": f"{folder}/a.jpg",
        folder.name: f"{folder}/a[[]1].jpg",
        "all.txt": f"{folder}/all.txt",
    }
    selected = estimate(found.source, Selection(sources=found.several))
    keys = ("photos.2024/a.jpg", "a.jpg", f"{folder.name}/a[1].jpg", "all.txt/b.jpg")
    assert selected.examples == keys
    assert locate_all(["a.jpg", "all.txt"]).name == "a.jpg and all.txt"
    assert locate_all(["a.jpg"]) == locate("a.jpg")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["photos.2024", "./photos.2024/"], "is named twice"),
        (["a.jpg", "missing.jpg"], "cannot be read"),
        (["a.jpg"] * 1001, "1,001 sources are too many"),
    ],
)
def test_several_sources_that_are_refused(texts: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        locate_all(texts)
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ("*.gif", "nothing in '{}' matches '*.gif'", None),
        ("album [1]/*.jpg", "nothing in '{}' matches 'album [1]/*.jpg'", "album [[]1]/*.jpg"),
        ("album [1]/b[x].jpg", "matches", "album [[]1]/b[[]x].jpg"),
        ("album [1]/*/b[x].jpg", "matches", "album [[]1]/*/b[x].jpg"),
        ("none [1]/*.jpg", "matches", None),
        ("empty.txt", "'{}empty.txt' names nothing", None),
        ("*.mp4", "1 entry, 1 video", None),
    ],
)
def test_a_job_without_items_is_told_why(
    folder: Path, source: str, message: str, hint: str | None
) -> None:
    (folder / "album [1]").mkdir()
    (folder / "album [1]/b[x].jpg").touch()
    (folder / "empty.txt").touch()
    passed_over = estimate(f"{folder}/{source}", Selection()).passed_over
    why = why_empty(f"{folder}/{source}", Selection(), passed_over)
    assert why is not None
    assert str(why).startswith("nothing to do: ")
    assert message.format(f"{folder}/") in str(why)
    if hint is None:
        assert why.hint is None
    else:
        assert why.hint is not None
        assert repr(f"{folder}/{hint}") in why.hint
        assert estimate(f"{folder}/{hint}", Selection()).items == ("/*/" not in hint)
    assert why_empty(f"{folder}/{source}", Selection(allow_empty=True), passed_over) is None
