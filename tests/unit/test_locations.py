import os
from pathlib import Path

import pytest

from core.errors import UsageError
from store.files import FileObjects
from store.locations import open_store, split_location


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "my photos # 100%"
    FileObjects(folder).put("a", b"x")
    return folder


def test_a_path_and_its_url_open_the_same_store(photos: Path) -> None:
    for location in (
        str(photos),
        f"{photos}/",
        photos.as_uri(),
        f"file://localhost{photos.as_uri()[7:]}",
    ):
        assert open_store(location).get("a") == b"x"


def test_a_relative_path_starts_where_the_process_is(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    store = open_store(".")
    monkeypatch.chdir("/")
    assert store.get("a") == b"x"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/data/a.jpg", ("/data", "a.jpg")),
        ("a.jpg", (".", "a.jpg")),
        ("file:///data/a%20%23b.jpg", ("/data", "a #b.jpg")),
        ("file:///%FF", ("/", os.fsdecode(b"\xff"))),
    ],
)
def test_split_locations(location: str, expected: tuple[str, str]) -> None:
    assert split_location(location) == expected


@pytest.mark.parametrize("location", ["/", "/data/", "..", "/data/."])
def test_a_directory_is_no_object(location: str) -> None:
    with pytest.raises(UsageError, match="names a directory"):
        split_location(location)


@pytest.mark.parametrize(
    "location", ["", "a\0b", "file://host/a", "file:///a?b", "file:///a#b", "file://"]
)
def test_locations_that_mean_nothing(location: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_store(location)
    assert caught.value.hint


def test_an_unknown_kind_of_store_is_named_and_its_password_is_not() -> None:
    with pytest.raises(UsageError, match="ftp:// is not supported") as caught:
        open_store("ftp://me:secret@host/a")
    assert "secret" not in str(caught.value)
    assert caught.value.hint == "supported are paths, file:// URLs and s3://bucket/prefix"
