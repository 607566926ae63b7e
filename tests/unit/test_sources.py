import pytest

from core.errors import UsageError
from core.sources import Source, SourceKind, parse_source


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("/data/photos", Source(SourceKind.FOLDER, "/data/photos/")),
        ("/data/photos/", Source(SourceKind.FOLDER, "/data/photos/")),
        ("/data/photos.2024/", Source(SourceKind.FOLDER, "/data/photos.2024/")),
        ("/data/.hidden", Source(SourceKind.FOLDER, "/data/.hidden/")),
        ("/data/a.jpg", Source(SourceKind.FILE, "/data/", "a.jpg")),
        ("a.jpg", Source(SourceKind.FILE, "./", "a.jpg")),
        ("*.jpg", Source(SourceKind.GLOB, "./", "*.jpg")),
        ("/data/*/x?/[ab].jpg", Source(SourceKind.GLOB, "/data/", "*/x?/[ab].jpg")),
        ("/data/20*/", Source(SourceKind.FOLDER, "/data/20*/")),
        ("file:///data/**/a.png", Source(SourceKind.GLOB, "file:///data/", "**/a.png")),
        ("/data/all.txt", Source(SourceKind.LINES, "/data/", "all.txt")),
        ("/data/all.lst", Source(SourceKind.LINES, "/data/", "all.lst")),
        ("/data/all.jsonl", Source(SourceKind.JSONL, "/data/", "all.jsonl")),
        ("/data/all.NDJSON", Source(SourceKind.JSONL, "/data/", "all.NDJSON")),
        ("/data/all.csv", Source(SourceKind.CSV, "/data/", "all.csv")),
    ],
)
def test_sources_as_people_write_them(text: str, source: Source) -> None:
    assert parse_source(text) == source


@pytest.mark.parametrize("text", ["", "a\0b"])
def test_what_is_no_source(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_source(text)
    assert caught.value.hint is not None


def test_lists_of_items_are_manifests() -> None:
    manifests = {kind for kind in SourceKind if kind.is_manifest}
    assert manifests == {SourceKind.LINES, SourceKind.JSONL, SourceKind.CSV}
