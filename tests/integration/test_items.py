import os
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import RetryableError
from core.items import ItemRef
from core.sources import Source, sources_by_prefix
from store.files import FileObjects
from worker.pipeline.items import as_it_is_now, place_of


def over(folder: str) -> dict[str, Source]:
    return sources_by_prefix(folder, ())


@pytest.fixture
def listed(tmp_path: Path) -> ItemRef:
    """A file as its folder's listing knew it."""
    (tmp_path / "a.png").write_bytes(b"old")
    [info] = FileObjects(tmp_path).list()
    return ItemRef(4, info.key, size=info.size, etag=info.etag, modified=info.modified)


def test_an_item_lies_in_the_jobs_source_or_where_its_list_says() -> None:
    assert place_of(ItemRef(0, "b/a.png"), over("/data/")) == ("/data/", "b/a.png")
    assert place_of(ItemRef(0, "a", uri="file:///else/a.png"), over("/data/")) == ("/else", "a.png")


def test_a_mended_file_is_taken_as_it_is_now(listed: ItemRef, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"mended")
    os.utime(tmp_path / "a.png", (5.0, 5.0))
    now = as_it_is_now(listed, over(f"{tmp_path}/"))
    assert (now.index, now.key, now.size, now.modified) == (4, "a.png", 6, 5.0)
    assert now.etag != listed.etag
    assert FileObjects(tmp_path).get("a.png", if_match=now.etag) == b"mended"


def test_an_untouched_file_is_the_same_item(listed: ItemRef, tmp_path: Path) -> None:
    assert as_it_is_now(listed, over(f"{tmp_path}/")) == listed


def test_a_file_that_is_gone_is_left_to_who_fetches_it(listed: ItemRef, tmp_path: Path) -> None:
    (tmp_path / "a.png").unlink()
    assert as_it_is_now(listed, over(f"{tmp_path}/")) == listed


def test_what_only_a_list_knows_is_not_looked_at(
    listed: ItemRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FileObjects, "head", None)
    unlisted = replace(listed, etag=None)
    assert as_it_is_now(unlisted, over(f"{tmp_path}/")) == unlisted


def test_a_store_that_is_away_is_for_later(
    listed: ItemRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise RetryableError("away")

    monkeypatch.setattr(FileObjects, "head", away)
    with pytest.raises(RetryableError):
        as_it_is_now(listed, over(f"{tmp_path}/"))
