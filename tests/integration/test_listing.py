import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInputError, UsageError
from core.sources import Source, SourceKind, parse_source
from scheduler import repeated_names
from scheduler.listing import Listed, _matches, listing

KEYS = ["a.jpg", "b/c.jpg", "b/d/e.png", "b-.jpg", "f/ g\n.jpg", "h.txt"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for key in KEYS:
        path = tmp_path / "data" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(key.encode())
        os.utime(path, (1000, 1000))
    return tmp_path / "data"


def listed(source: str | Source, cursor: Mapping[str, Any] | None = None) -> list[Listed]:
    return list(listing(parse_source(source) if isinstance(source, str) else source, cursor))


def keys(source: str | Source, cursor: Mapping[str, Any] | None = None) -> list[str]:
    return [found.key for found in listed(source, cursor)]


def written(tmp_path: Path, name: str, content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    (tmp_path / name).write_bytes(data)
    return str(tmp_path / name)


def test_a_folder_is_listed_in_the_order_of_its_bytes(folder: Path) -> None:
    assert keys(f"{folder}/") == sorted(KEYS, key=str.encode)
    first = listed(str(folder))[0]
    assert (first.key, first.size, first.modified, first.uri) == ("a.jpg", 5, 1000.0, None)
    assert first.etag


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["a.jpg", "b-.jpg"]),
        ("b/*", ["c.jpg"]),  # relative to the last folder that is no pattern
        ("*/*.jpg", ["b/c.jpg", "f/ g\n.jpg"]),
        ("**/*.jpg", ["a.jpg", "b-.jpg", "b/c.jpg", "f/ g\n.jpg"]),
        ("b/**", ["c.jpg", "d/e.png"]),
        ("b/**/e.*", ["d/e.png"]),
        ("**/.jpg", []),
        ("?.jpg", ["a.jpg"]),
        ("[!a]*.jpg", ["b-.jpg"]),
    ],
)
def test_a_glob_matches_as_in_a_shell(folder: Path, pattern: str, expected: list[str]) -> None:
    assert keys(f"{folder}/{pattern}") == expected


names = st.text(st.sampled_from("ab."), min_size=1, max_size=2)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
globs = st.lists(
    st.text(st.sampled_from("ab.*?"), min_size=1, max_size=2) | st.just("**"),
    min_size=1,
    max_size=4,
)


@given(paths, globs)
def test_two_stars_are_any_number_of_folders(path: str, patterns: list[str]) -> None:
    """Against the sum of all patterns without `**` that a pattern stands for."""

    def expand(parts: list[str]) -> list[list[str]]:
        if not parts:
            return [[]]
        heads = [["*"] * n for n in range(5)] if parts[0] == "**" else [[parts[0]]]
        return [head + rest for head in heads for rest in expand(parts[1:])]

    expected = any(_matches(path, "/".join(plain)) for plain in expand(patterns) if plain)
    assert _matches(path, "/".join(patterns)) == expected


def test_one_file(folder: Path) -> None:
    [found] = listed(f"{folder}/b/c.jpg")
    assert (found.key, found.size) == ("c.jpg", 7)
    assert listed(f"{folder}/b/c.jpg", found.cursor) == []
    with pytest.raises(BadInputError, match=r"z\.jpg"):
        listed(f"{folder}/z.jpg")


def test_a_list_names_keys_paths_and_urls(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        "all.txt",
        "\ufeffa.jpg\r\n\r\n# a comment\r\n b c.jpg\r\n/abs/d.jpg\nfile:///e.jpg\ns3://b/f.jpg\ng#",
    )
    assert [(found.key, found.uri) for found in listed(source)] == [
        ("a.jpg", None),
        (" b c.jpg", None),
        ("/abs/d.jpg", "/abs/d.jpg"),
        ("file:///e.jpg", "file:///e.jpg"),
        ("s3://b/f.jpg", "s3://b/f.jpg"),
        ("g#", None),
    ]


def test_a_list_may_hold_names_that_are_no_unicode(tmp_path: Path) -> None:
    source = written(tmp_path, "all.txt", b"\xff.jpg\n")
    assert keys(source) == ["\udcff.jpg"]


def test_jsonl_may_tell_size_and_etag(tmp_path: Path) -> None:
    lines = [
        {"key": "a.jpg", "size": 12, "etag": "x"},
        {"uri": "/abs/b.jpg", "more": [1]},
        "c.jpg",
        {"path": "d.jpg", "size": None, "etag": None},
        {"item": "e.jpg", "url": "ignored"},
    ]
    source = written(tmp_path, "all.jsonl", "\n".join(json.dumps(line) for line in lines) + "\n\n")
    assert [(f.key, f.uri, f.size, f.etag) for f in listed(source)] == [
        ("a.jpg", None, 12, "x"),
        ("/abs/b.jpg", "/abs/b.jpg", None, None),
        ("c.jpg", None, None, None),
        ("d.jpg", None, None, None),
        ("e.jpg", None, None, None),
    ]


def test_csv_has_a_header(tmp_path: Path) -> None:
    source = written(
        tmp_path, "all.csv", '\ufeffsize,path,other\n5,a.jpg,x\n\n,"b, ""c"".jpg",\n7,"d\ne.jpg"\n'
    )
    assert [(f.key, f.size) for f in listed(source)] == [
        ("a.jpg", 5),
        ('b, "c".jpg', None),
        ("d\ne.jpg", 7),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", '"a.jpg"\n\n{"key": \n', "line 3: not JSON:"),
        ("x.jsonl", '"a.jpg"\n[1]\n', "line 2: not a JSON object"),
        ("x.jsonl", "[" * 100_000, "line 1: not JSON:"),
        ("x.jsonl", '{"file": "a.jpg"}\n', "line 1: none of the fields key, item,"),
        ("x.jsonl", '{"key": 5}\n', "line 1: none of the fields"),
        ("x.jsonl", '""\n', "line 1: none of the fields"),
        ("x.jsonl", '{"key": "a.jpg", "size": 1.5}\n', "line 1: size 1.5 is not a whole number"),
        ("x.jsonl", '{"key": "a.jpg", "size": -1}\n', "line 1: size -1 is not a whole number"),
        ("x.jsonl", f'{{"key": "a.jpg", "size": {10**30}}}\n', "line 1: size 1000"),
        ("x.jsonl", '{"key": "a.jpg", "etag": 5}\n', "line 1: etag 5 is not text"),
        ("x.jsonl", '"a.jpg"\n"\\ud800.jpg"\n', "line 2: .* is not text"),
        ("x.csv", "name\na.jpg\n", "line 2: none of the fields"),
        ("x.csv", 'key,size\n"a\nb.jpg",x\n', "line 3: size 'x' is not a whole number"),
        ("x.csv", "key\na.jpg\n" + "b" * 200_000 + "\n", "line 3: not CSV: field larger"),
    ],
)
def test_lines_that_cannot_be_read_are_named(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    source = written(tmp_path, name, content)
    with pytest.raises(UsageError, match=message):
        listed(source)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.txt", "a.jpg\n\n#\nb.jpg\nc.jpg"),
        ("x.jsonl", '"a.jpg"\n\n"b.jpg"\n"c.jpg"'),
        ("x.csv", 'key\n"a\n.jpg"\n\nb.jpg\nc.jpg\n'),
    ],
)
def test_a_manifest_goes_on_behind_any_cursor(tmp_path: Path, name: str, content: str) -> None:
    source = written(tmp_path, name, content)
    everything = listed(source)
    assert len(everything) == 3
    for number, found in enumerate(everything, start=1):
        cursor = json.loads(json.dumps(found.cursor))
        assert listed(source, cursor) == everything[number:]


@pytest.mark.parametrize("pattern", ["", "**/*.jpg"])
def test_a_folder_goes_on_behind_any_cursor(folder: Path, pattern: str) -> None:
    source = Source(SourceKind.GLOB if pattern else SourceKind.FOLDER, f"{folder}/", pattern)
    everything = listed(source)
    for number, found in enumerate(everything, start=1):
        assert listed(source, json.loads(json.dumps(found.cursor))) == everything[number:]


def test_a_name_that_comes_twice_is_one_item_wherever_the_reading_goes_on(tmp_path: Path) -> None:
    source = written(tmp_path, "x.txt", "a.jpg\nb.jpg\na.jpg\n/abs/a.jpg\na.jpg\n")
    everything = listed(source)
    why = [None, None, "named twice", None, "named twice"]
    assert [found.why for found in everything] == why
    for number, found in enumerate(everything, start=1):
        assert listed(source, found.cursor) == everything[number:]


def test_a_name_that_comes_again_far_below_is_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeated_names, "NEAR_ENTRIES", 2)
    source = written(tmp_path, "x.txt", "a\nb\nc\na\na\nd\n")
    everything = listed(source)
    assert [found.is_repeated for found in everything] == [False, False, False, True, True, False]
    assert listed(source, everything[2].cursor) == everything[3:]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", {".x/a.jpg": True, ".y.jpg": True, "b/.c/d.jpg": True, "e.jpg": False}),
        ("**/*.jpg", {".x/a.jpg": True, ".y.jpg": True, "b/.c/d.jpg": True, "e.jpg": False}),
        (".*", {".y.jpg": False}),  # a pattern that spells the dot means it, as in a shell
        ("*/.c/*", {"b/.c/d.jpg": False}),
    ],
)
def test_what_lies_below_a_dot_is_hidden(
    tmp_path: Path, pattern: str, expected: dict[str, bool]
) -> None:
    root = tmp_path / ".root"  # which is what was asked for
    for key in (".x/a.jpg", ".y.jpg", "b/.c/d.jpg", "e.jpg"):
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).touch()
    source = Source(SourceKind.GLOB if pattern else SourceKind.FOLDER, f"{root}/", pattern)
    assert {found.key: found.is_hidden for found in listed(source)} == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", []),
        ("*/x/**", ["a/", "b/x/"]),
        ("**/y/*", ["a/", "b/x/"]),
        ("b/?/*.jpg", ["b/x/"]),
        ("b/*", []),
    ],
)
def test_a_glob_passes_on_folders_in_which_it_might_match(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, expected: list[str]
) -> None:
    for key in ("a", "b/x"):
        (tmp_path / key).mkdir(parents=True)
    real = os.scandir

    def scandir(path: bytes) -> Any:
        if path.endswith((b"/a/", b"/x/")):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert keys(Source(SourceKind.GLOB, f"{tmp_path}/", pattern)) == expected
