import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UsageError
from core.sources import (
    Source,
    SourceKind,
    named,
    parse_source,
    place_in,
    sources_by_prefix,
)


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


def test_several_sources_get_names_that_no_two_share() -> None:
    texts = ["/a/photos/", "/b/photos/*.jpg", "s3://photos/", "/c.d/", "/a/x.jpg", "/b/x.jpg"]
    texts += ["/a/all.txt", "/", "/b/all.txt", "/photos-2/", "/a/[[]1].jpg"]
    names = [name for name, _ in named(texts)]
    assert names == [
        *("photos", "photos-2", "photos-3", "c.d", "x.jpg", "x-2.jpg"),
        *("all.txt", "root", "all-2.txt", "photos-2-2", "a"),
    ]
    assert [text for _, text in named(texts)] == texts


names = st.sampled_from(["a", "a-2", "b", "a.jpg", "a-2.jpg", "b.txt"])
paths = st.lists(names, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
texts = paths.flatmap(lambda path: st.sampled_from([path, f"{path}/", f"{path}/*.jpg"]))


@given(
    st.lists(texts, min_size=2, max_size=6, unique=True), st.lists(paths, max_size=3, unique=True)
)
def test_a_key_leads_back_to_its_source(several: list[str], below: list[str]) -> None:
    sources = sources_by_prefix("", named(several))
    places = {}
    for source in sources.values():
        for path in [source.name] if source.kind is SourceKind.FILE else [b[1:] for b in below]:
            key = source.item_key(path)
            assert key not in places
            places[key] = (source.root, path)
    assert {key: place_in(sources, key) for key in places} == places


def test_the_only_source_leaves_keys_as_they_are() -> None:
    sources = sources_by_prefix("/data/photos/", ())
    assert sources[""].item_key("a/b.jpg") == "a/b.jpg"
    assert place_in(sources, "a/b.jpg") == ("/data/photos/", "a/b.jpg")
