import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.selection import Selection, media_kind


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("a.jpg", "image"),
        ("a/b.JPEG", "image"),
        ("x.tar.webp", "image"),
        (".png", "image"),
        ("scan.PGM", "image"),
        ("a.jp2", "image"),
        ("a.avif", "image"),
        ("IMG_0001.HEIC", "image"),
        ("IMG_0001.CR2", None),
        ("film.MP4", "video"),
        ("notes.txt", None),
        ("photo", None),
        ("folder.jpg/readme", None),
        ("a.jpg\n", None),
        ("a.", None),
        ("", None),
    ],
)
def test_the_suffix_of_the_last_part_tells_the_kind(key: str, kind: str | None) -> None:
    assert media_kind(key) == kind


def reason(selection: Selection, key: str = "a/b.jpg", **facts: float | None) -> str | None:
    size, modified = facts.get("size"), facts.get("modified")
    return selection.passes_over(key, size=None if size is None else int(size), modified=modified)


@pytest.mark.parametrize("pattern", ["*.jpg", "b.*", "a/*", "a/b.jpg", "*/b.jpg", "[ab].jpg"])
def test_patterns_that_match(pattern: str) -> None:
    assert reason(Selection(include=(pattern,))) is None
    assert reason(Selection(exclude=(pattern,))) == "excluded"


@pytest.mark.parametrize("pattern", ["a", "a.jpg", "b", "/b.jpg", "B.JPG", "a/b"])
def test_patterns_that_do_not_match(pattern: str) -> None:
    assert reason(Selection(include=(pattern,))) == "not included"
    assert reason(Selection(exclude=(pattern,))) is None


def test_a_star_crosses_folders_in_a_pattern_with_a_slash() -> None:
    assert reason(Selection(include=("a/*.jpg",)), "a/x/y/b.jpg") is None


def test_any_include_lets_in_and_any_exclude_keeps_out() -> None:
    selection = Selection(include=("*.png", "*.jpg"), exclude=("b.*", "c.*"))
    assert reason(selection, "c.jpg") == "excluded"
    assert reason(selection, "d.jpg") is None
    assert reason(selection, "d.gif") == "not included"


@pytest.mark.parametrize(
    ("size", "expected"),
    [(9, "smaller than --min-size"), (10, None), (20, None), (21, "larger than --max-size")],
)
def test_sizes_are_inclusive(size: int, expected: str | None) -> None:
    assert reason(Selection(min_size=10, max_size=20), size=size) == expected


@pytest.mark.parametrize(("modified", "expected"), [(99.9, "older than --since"), (100.0, None)])
def test_since_is_inclusive(modified: float, expected: str | None) -> None:
    assert reason(Selection(since=100.0), modified=modified) == expected


def test_what_the_listing_does_not_know_is_no_reason() -> None:
    assert reason(Selection(min_size=1, max_size=2, since=3.0)) is None


numbers = st.none() | st.integers(0, 2**60)
patterns = st.lists(st.text(max_size=5), max_size=3).map(tuple)


@given(
    st.builds(
        Selection,
        include=patterns,
        exclude=patterns,
        min_size=numbers,
        max_size=numbers,
        since=st.none() | st.floats(0, 1e12),
        limit=numbers,
        hidden=st.booleans(),
        allow_empty=st.booleans(),
        sources=st.lists(st.tuples(st.text(), st.text()), max_size=3).map(tuple),
    )
)
def test_a_selection_survives_json(selection: Selection) -> None:
    assert Selection.from_json(json.loads(json.dumps(selection.to_json()))) == selection


def test_what_earlier_versions_do_not_know_is_only_written_if_it_is_said() -> None:
    earlier = {"include", "exclude", "min_size", "max_size", "since", "limit"}
    assert Selection().to_json().keys() == earlier
    assert Selection(sources=(("a", "/a/"), ("b", "/b/"))).to_json().keys() == {*earlier, "sources"}
