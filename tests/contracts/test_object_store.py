import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import BadInputError
from store.files import FileObjects
from store.locations import open_store, split_location, use_s3
from store.objects import ObjectStore
from store.s3.client import s3_client
from store.s3.options import S3Options
from tests.buckets.server import Server

NewStore = Callable[[], ObjectStore]

HOSTILE = [
    "with space",
    " leading and trailing ",
    'quote\'s "and" `ticks`',
    "per%cent%20",
    "plus+and&and=and?and#",
    "back\\slash",
    "new\nline\ttab",
    "\u00e9t\u00e9/\u65e5\u672c.png",
    "e\u0301",
    "\U0001f6a3.jpg",
    "Case",
    "case",
    "...",
    ".hidden",
    "-rf",
    "~",
    "$(date)",
    "deep/er/and/deep/er",
]

# Names that differ little, and around the `/` (0x2f) in order, so that a listing that sorts
# directories by their bare names is caught.
names = st.text(st.sampled_from("a0-./~ \u00e9\uffff\U00010000"), min_size=1, max_size=3).filter(
    lambda name: "/" not in name and name not in {".", ".."}
)
key_sets = st.sets(st.lists(names, min_size=1, max_size=3).map("/".join), max_size=12).map(
    lambda keys: {key for key in keys if not any(other.startswith(f"{key}/") for other in keys)}
)


PAGE = 10
"""Keys on a page of the buckets here, so that few objects make many pages."""


@pytest.fixture(params=["files", "moto", "moto by boto3", "swift"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewStore]:
    """Makes empty stores of the kind under test."""
    count = iter(range(1_000_000))
    server_name, _, reader = request.param.partition(" by ")

    def files() -> ObjectStore:
        root = tmp_path / str(next(count))
        root.mkdir()
        return FileObjects(root)

    if server_name == "files":
        yield files
        return
    server: Server = request.getfixturevalue(f"{server_name}_server")
    options = server.options(reader=reader or "obstore", page_keys=PAGE)
    bucket = f"bucket-{uuid4().hex}"
    s3_client(options).create_bucket(Bucket=bucket)
    use_s3(options)
    yield lambda: open_store(f"s3://{bucket}/{next(count)} of/many")
    use_s3(S3Options())


@pytest.fixture
def store(new_store: NewStore) -> ObjectStore:
    return new_store()


@pytest.fixture
def hostile(request: pytest.FixtureRequest) -> list[str]:
    """The names that the server under test can take itself: moto's paths have no line breaks."""
    is_moto = "moto" in request.node.callspec.params["new_store"]
    return [key for key in HOSTILE if not (is_moto and "\n" in key)]


def keys_of(store: ObjectStore, prefix: str = "", start_after: str = "") -> list[str]:
    return [info.key for info in store.list(prefix, start_after)]


def by_bytes(keys: set[str] | list[str]) -> list[str]:
    return sorted(keys, key=str.encode)


def reason_of(call: Callable[[], object]) -> str:
    with pytest.raises(BadInputError) as caught:
        call()
    return caught.value.reason


def test_what_was_put_is_got(store: ObjectStore) -> None:
    store.put("a/b", b"one")
    store.put("a/b", memoryview(b"two!"))
    store.put("empty", b"", durable=True)
    assert store.get("a/b") == b"two!"
    assert store.get("empty") == b""


def test_an_opened_object_is_read_in_pieces_even_while_it_is_replaced(store: ObjectStore) -> None:
    store.put("a", b"old content")
    with store.open("a") as file:
        assert file.read(3) == b"old"
        store.put("a", b"new")
        assert file.read() == b" content"
    assert reason_of(lambda: store.open("b")) == "source_missing"
    assert reason_of(lambda: store.open("../a")) == "bad_key"


def test_an_opened_object_can_be_sought(store: ObjectStore) -> None:
    content = bytes(range(256)) * 4_000
    store.put("a", content)
    with store.open("a") as file:
        assert file.seek(-3, io.SEEK_END) == len(content) - 3
        assert file.read() == content[-3:]
        assert file.seek(500_000) == 500_000
        assert file.read(1_000) == content[500_000:501_000]
        assert file.seek(0) == 0
        assert file.read() == content


def test_what_was_put_as_a_stream_is_got(store: ObjectStore) -> None:
    for content in (b"", b"one", bytes(range(256)) * 5_000):
        store.put_stream("a/b", io.BytesIO(content))
        assert store.get("a/b") == content
        assert store.head("a/b").size == len(content)


def test_a_stream_that_breaks_off_leaves_what_was_there(store: ObjectStore) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise ZeroDivisionError
            return super().read(100)

    store.put("a", b"old")
    with pytest.raises(ZeroDivisionError):
        store.put_stream("a", Broken(bytes(1_000)))
    assert store.get("a") == b"old"
    assert keys_of(store) == ["a"]


def test_head_and_listing_agree(store: ObjectStore) -> None:
    store.put("a/b", b"12345")
    info = store.head("a/b")
    assert (info.key, info.size) == ("a/b", 5)
    assert info.modified > 1_700_000_000
    assert list(store.list()) == [info]


def test_a_missing_object(store: ObjectStore) -> None:
    store.put("a/b", b"")
    for key in ("x", "a", "a/x", "a/b/c", "A/b"):
        assert not store.exists(key)
        assert reason_of(lambda key=key: store.get(key)) == "source_missing"  # type: ignore[misc]
        assert reason_of(lambda key=key: store.head(key)) == "source_missing"  # type: ignore[misc]
        assert reason_of(lambda key=key: store.copy(key, "y")) == "source_missing"  # type: ignore[misc]
        store.delete(key)
    assert keys_of(store) == ["a/b"]
    assert store.exists("a/b")


def test_a_deleted_object_is_gone(store: ObjectStore) -> None:
    store.put("a/b", b"")
    store.delete("a/b")
    store.delete("a/b")
    assert not store.exists("a/b")
    assert keys_of(store) == []


def test_the_etag_tells_a_change(store: ObjectStore) -> None:
    store.put("a", b"old")
    etag = store.head("a").etag
    assert store.get("a", if_match=etag) == b"old"
    store.put("a", b"newer")
    assert store.head("a").etag != etag
    assert reason_of(lambda: store.get("a", if_match=etag)) == "source_changed"


def test_max_bytes_is_the_largest_size_that_is_got(store: ObjectStore) -> None:
    store.put("a", b"12345")
    assert store.get("a", max_bytes=5) == b"12345"
    assert reason_of(lambda: store.get("a", max_bytes=4)) == "too_large"


def test_a_copy_is_an_object_of_its_own_and_can_be_repeated(store: ObjectStore) -> None:
    store.put("src", b"content")
    store.put("dst/x", b"in the way")
    store.copy("src", "dst/x")
    store.copy("src", "dst/x")
    store.delete("src")
    assert store.get("dst/x") == b"content"
    assert keys_of(store) == ["dst/x"]


@pytest.mark.parametrize(
    "key", ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\0b", "\ud800"]
)
def test_keys_that_name_nothing_in_the_store(store: ObjectStore, key: str) -> None:
    assert reason_of(lambda: store.put(key, b"")) == "bad_key"
    assert reason_of(lambda: store.get(key)) == "bad_key"
    assert reason_of(lambda: store.head(key)) == "bad_key"
    assert reason_of(lambda: store.exists(key)) == "bad_key"
    assert reason_of(lambda: store.delete(key)) == "bad_key"
    assert reason_of(lambda: store.copy("a", key)) in {"bad_key", "source_missing"}
    assert keys_of(store) == []


def test_hostile_names(store: ObjectStore, hostile: list[str]) -> None:
    for number, key in enumerate(hostile):
        store.put(key, str(number).encode())
    assert keys_of(store) == by_bytes(hostile)
    assert [store.get(key) for key in hostile] == [str(n).encode() for n in range(len(hostile))]


def test_a_url_leads_back_to_its_object(store: ObjectStore, hostile: list[str]) -> None:
    for key in hostile:
        store.put(key, key.encode())
        folder, name = split_location(store.url(key))
        assert open_store(folder).get(name) == key.encode()


def test_an_object_never_shows_half(store: ObjectStore) -> None:
    contents = {bytes([n]) * 300_000 for n in (1, 2)}
    store.put("a", min(contents))
    stop = threading.Event()
    with ThreadPoolExecutor(2) as pool:

        def replace() -> None:
            while not stop.is_set():
                for content in contents:
                    store.put("a", content)

        writer = pool.submit(replace)
        try:
            seen = {store.get("a") for _ in range(60)}
        finally:
            stop.set()
        writer.result()
    assert seen <= contents


def test_of_eight_racing_writers_one_wins_whole(store: ObjectStore) -> None:
    barrier = threading.Barrier(8)

    def write(number: int) -> None:
        for _ in range(5):
            barrier.wait()
            store.put("new/folder/a", bytes([number]) * 100_000)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert store.get("new/folder/a") in {bytes([number]) * 100_000 for number in range(8)}
    assert keys_of(store) == ["new/folder/a"]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(keys=key_sets)
def test_a_folder_is_listed_in_byte_order_and_resumes_after_any_key(
    tmp_path_factory: pytest.TempPathFactory, keys: set[str]
) -> None:
    _lists_in_order(FileObjects(tmp_path_factory.mktemp("folder")), keys)


@pytest.mark.parametrize(
    "keys",
    [
        {"a-b", "a/b", "a0", "a.b"},
        {"\uff5e", "\U00010000", "\u00e9"},
        {"a", "a~/0", " /a", "-/a/ ", "a0/a0"},
    ],
)
def test_a_listing_is_in_byte_order_and_resumes_after_any_key(
    store: ObjectStore, keys: set[str]
) -> None:
    _lists_in_order(store, keys)


def _lists_in_order(store: ObjectStore, keys: set[str]) -> None:
    for key in keys:
        store.put(key, b"")
    expected = by_bytes(keys)
    assert keys_of(store) == expected
    marks = {*keys, *(key[:-1] for key in keys), *(f"{key}/" for key in keys), "a/", "a0/a", "~"}
    for mark in marks:
        after = [key for key in expected if key.encode() > mark.encode()]
        assert keys_of(store, start_after=mark) == after
        assert keys_of(store, prefix=mark) == [key for key in expected if key.startswith(mark)]


def test_prefix_and_start_after_go_together(store: ObjectStore) -> None:
    for key in ("a/1", "a/2", "a/3/x", "ab", "b/1"):
        store.put(key, b"")
    assert keys_of(store, "a", "a/2") == ["a/3/x", "ab"]
    assert keys_of(store, "a/", "a/2") == ["a/3/x"]
    assert keys_of(store, "a/3", "") == ["a/3/x"]
    assert keys_of(store, "a/", "b") == []
    assert keys_of(store, "b", "a/2") == ["b/1"]


@pytest.mark.parametrize("prefix", ["x", "x/y", "/", "../", "a/../", "a\0/", "a/b/"])
def test_a_prefix_without_objects(store: ObjectStore, prefix: str) -> None:
    store.put("a/b", b"")
    assert keys_of(store, prefix) == []


def test_more_objects_than_a_page(store: ObjectStore) -> None:
    count = 5_000 if isinstance(store, FileObjects) else 2 * PAGE + 1
    keys = sorted(f"{n % 7}/{n % 10:02}/{n:05}.jpg" for n in range(count))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: store.put(key, b""), keys))
    assert keys_of(store) == keys
    for position in (0, 1, PAGE - 1, PAGE, count - 2, count - 1):
        assert keys_of(store, start_after=keys[position]) == keys[position + 1 :]


def test_objects_may_go_while_they_are_listed(store: ObjectStore) -> None:
    keys = [f"{n // 10:02}/{n % 10}" for n in range(40)]
    for key in keys:
        store.put(key, b"")
    listing = store.list()
    first = next(listing).key
    for key in keys[20:]:
        store.delete(key)
    rest = {info.key for info in listing}
    assert first == keys[0]
    assert set(keys[1:20]) <= rest


def test_a_name_longer_than_any_store_allows(store: ObjectStore) -> None:
    key = "x" * 2_000
    assert reason_of(lambda: store.put(key, b"")) == "bad_key"
    assert reason_of(lambda: store.get(key)) in {"bad_key", "source_missing"}
