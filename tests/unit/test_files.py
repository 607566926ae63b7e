import errno
import os
import socket
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from pathlib import Path
from typing import Any, NoReturn

import pytest

from core.errors import BadInputError, BlockedError, RetryableError
from store.files import FileObjects
from store.objects import NoObject


def failing(code: int) -> Callable[..., NoReturn]:
    def fail(*_args: Any, **_options: Any) -> NoReturn:
        raise OSError(code, os.strerror(code))

    return fail


def keys_of(store: FileObjects, prefix: str = "", start_after: str = "") -> list[str]:
    return [info.key for info in store.list(prefix, start_after)]


def files_in(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*"))


def reason_of(call: Callable[[], object]) -> str:
    with pytest.raises(BadInputError) as caught:
        call()
    return caught.value.reason


def test_undecodable_names(tmp_path: Path) -> None:
    store = FileObjects(tmp_path)
    raw = [b"\x80", b"\xff.jpg", b"\xc3", "\u00e9".encode(), b"\xc3\xa9a"]
    for name in raw:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(name)
    expected = [os.fsdecode(name) for name in sorted(raw)]
    assert keys_of(store) == expected
    for position, key in enumerate(expected):
        assert store.get(key) == os.fsencode(key)
        assert keys_of(store, start_after=key) == expected[position + 1 :]
    store.put(os.fsdecode(b"d\xff/\xfe"), b"x")
    assert (tmp_path / os.fsdecode(b"d\xff/\xfe")).read_bytes() == b"x"


def test_the_root_is_made_by_the_first_put_and_must_exist_to_be_listed(tmp_path: Path) -> None:
    store = FileObjects(tmp_path / "new" / "root")
    assert reason_of(lambda: list(store.list())) == "source_missing"
    store.put("a/b", b"x", durable=True)
    assert keys_of(store) == ["a/b"]


def test_files_get_the_mode_that_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        FileObjects(tmp_path).put("a", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_what_a_killed_writer_leaves_is_hidden_and_harmless(tmp_path: Path) -> None:
    store = FileObjects(tmp_path)
    leftover = ".regatta-" + "0" * 32 + ".tmp"
    (tmp_path / leftover).write_bytes(b"half")
    (tmp_path / ".regatta-note.tmp").write_bytes(b"somebody's own")
    assert keys_of(store) == [".regatta-note.tmp"]
    assert reason_of(lambda: store.put(leftover, b"")) == "bad_key"


@pytest.mark.parametrize("durable", [False, True])
def test_a_failed_put_leaves_the_old_content_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    store = FileObjects(tmp_path)
    store.put("a", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", failing(errno.ENOSPC))
        with pytest.raises(BlockedError) as caught:
            store.put("a", b"new", durable=durable)
    assert str(caught.value).startswith(f"waiting for room on {tmp_path} (disk full)")
    assert store.get("a") == b"old"
    assert files_in(tmp_path) == ["a"]


@pytest.mark.parametrize("code", [errno.EIO, errno.EDQUOT, errno.ENOSPC, errno.ESTALE])
def test_the_world_in_the_way_is_retryable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    store = FileObjects(tmp_path)
    store.put("a", b"x")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", failing(code))
        with pytest.raises(RetryableError):
            store.get("a")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(code))
        with pytest.raises(RetryableError):
            store.put("b", b"x", durable=True)


def test_denied_access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Simulated, because root is never denied.
    store = FileObjects(tmp_path)
    store.put("a/b", b"x")
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing(errno.EACCES))
        patch.setattr(Path, "mkdir", failing(errno.EROFS))
        patch.setattr(Path, "unlink", failing(errno.EPERM))
        assert reason_of(lambda: store.get("a/b")) == "access_denied"
        for write in (lambda: store.put("c/b", b""), lambda: store.delete("a/b")):
            with pytest.raises(BlockedError, match=str(tmp_path)):
                write()
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", failing(errno.EACCES))
        with pytest.raises(RetryableError, match="can't be listed"):
            list(store.list())


def test_a_file_that_grows_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileObjects(tmp_path)
    store.put("a", b"1234")
    etag = store.head("a").etag
    real, calls = os.fstat, iter(range(10))

    def grow(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        if next(calls) == 1:  # the first call asks whether it is a file at all
            with (tmp_path / "a").open("ab") as file:
                file.write(b"5678")
        return status

    monkeypatch.setattr(os, "fstat", grow)
    assert reason_of(lambda: store.get("a", if_match=etag)) == "source_changed"
    (tmp_path / "a").write_bytes(b"1234")
    calls = iter(range(10))
    assert reason_of(lambda: store.get("a", max_bytes=6)) == "too_large"


def test_what_is_no_regular_file_is_no_object(tmp_path: Path) -> None:
    store = FileObjects(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "itself").symlink_to("itself")
    assert keys_of(store) == []
    for key in ("pipe", "folder", "dangling", "itself"):
        assert not store.exists(key)
        assert reason_of(lambda key=key: store.get(key)) == "source_missing"  # type: ignore[misc]
    store.delete("folder")
    assert (tmp_path / "folder").is_dir()


def test_a_file_and_a_directory_of_one_name_exclude_each_other(tmp_path: Path) -> None:
    store = FileObjects(tmp_path)
    store.put("a", b"x")
    assert reason_of(lambda: store.put("a/b", b"")) == "bad_key"
    assert reason_of(lambda: store.put("a/b/c", b"")) == "bad_key"
    store.put("d/e", b"x")
    assert reason_of(lambda: store.put("d", b"")) == "bad_key"
    assert keys_of(store) == ["a", "d/e"]
    assert files_in(tmp_path) == ["a", "d", "e"]


def test_links_are_followed_for_reading_but_nothing_is_written_through_them_to_the_outside(
    tmp_path: Path,
) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    FileObjects(outside).put("photo", b"x")
    store = FileObjects(root)
    store.put("inside/a", b"1")
    (root / "link").symlink_to(outside)
    (root / "photo").symlink_to(outside / "photo")
    assert keys_of(store) == ["inside/a", "link/photo", "photo"]
    assert store.get("link/photo") == store.get("photo") == b"x"
    for write in (
        lambda: store.put("link/new", b""),
        lambda: store.put("link/sub/new", b""),
        lambda: store.copy("inside/a", "link/new"),
        lambda: store.delete("link/photo"),
    ):
        assert reason_of(write) == "bad_key"
    store.put("photo", b"mine now")
    assert files_in(outside) == ["photo"]
    assert (outside / "photo").read_bytes() == b"x"


def test_a_root_behind_a_link_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    FileObjects(tmp_path / "link").put("a/b", b"x", durable=True)
    assert (tmp_path / "real/a/b").read_bytes() == b"x"


def test_directories_that_link_to_an_ancestor_are_listed_once(tmp_path: Path) -> None:
    store = FileObjects(tmp_path)
    store.put("a/b/c", b"")
    (tmp_path / "a/b/up").symlink_to(tmp_path / "a")
    (tmp_path / "a/self").symlink_to(".")
    (tmp_path / "twin").symlink_to("a")
    assert keys_of(store) == ["a/b/c", "twin/b/c"]
    assert keys_of(store, prefix="a/b/up/") == []
    assert keys_of(store, prefix="twin/") == ["twin/b/c"]


def test_resuming_reads_no_directory_that_lies_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileObjects(tmp_path)
    for key in ("a/1", "b/1", "b/c/1", "b/d/1", "e/1"):
        store.put(key, b"")
    read: list[str] = []
    real = os.scandir

    def scandir(path: bytes) -> Any:
        read.append(os.path.relpath(os.fsdecode(path), tmp_path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert keys_of(store, start_after="b/c/1") == ["b/d/1", "e/1"]
    assert read == [".", "b", "b/c", "b/d", "e"]
    read.clear()
    assert keys_of(store, prefix="b/d") == ["b/d/1"]
    assert read == ["b", "b/d"]


def test_a_directory_that_vanishes_during_the_listing_is_passed_over(tmp_path: Path) -> None:
    store = FileObjects(tmp_path)
    for key in ("a/1", "b/1", "c"):
        store.put(key, b"")
    listing = store.list()
    assert next(listing).key == "a/1"
    (tmp_path / "b/1").unlink()
    (tmp_path / "b").rmdir()
    assert [info.key for info in listing] == ["c"]


def test_a_directory_that_goes_between_its_status_and_its_names_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileObjects(tmp_path)
    store.put("a/1", b"")
    store.put("b", b"")
    real = os.scandir

    def scandir(path: bytes) -> Any:
        if path.endswith(b"/a/"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert keys_of(store) == ["b"]


def test_a_file_whose_status_is_denied_fails_the_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileObjects(tmp_path)
    store.put("a", b"")
    real = os.stat

    def deny(path: bytes, **options: Any) -> os.stat_result:
        if os.fsencode(path).endswith(b"/a"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, **options)

    monkeypatch.setattr(os, "stat", deny)
    with pytest.raises(RetryableError, match="can't be listed"):
        list(store.list())


def entries(store: FileObjects, prefix: str = "", start_after: str = "") -> dict[str, str | None]:
    """Everything that the store holds, and why if it is no object."""
    return {
        entry.key: entry.why if isinstance(entry, NoObject) else None
        for entry in store.entries(prefix, start_after)
    }


def test_what_is_no_file_is_listed_with_what_it_is(tmp_path: Path) -> None:
    store = FileObjects(tmp_path)
    store.put("a/file", b"")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as sock, chdir(tmp_path):  # its path must be short
        sock.bind("socket")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "through").symlink_to("a/file/below")
    (tmp_path / "itself").symlink_to("itself")
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / f".regatta-{'0' * 32}.tmp").touch()
    expected = {
        f".regatta-{'0' * 32}.tmp": "unfinished file",
        "a/file": None,
        "a/up/": "looping link",
        "dangling": "dangling link",
        "itself": "looping link",
        "null": "device",
        "pipe": "FIFO",
        "socket": "socket",
        "through": "dangling link",
    }
    assert entries(store) == expected
    assert list(entries(store)) == sorted(expected)
    assert entries(store, prefix="a/") == {"a/file": None, "a/up/": "looping link"}
    assert keys_of(store) == ["a/file"]
    for number, key in enumerate(expected, start=1):
        assert list(entries(store, start_after=key)) == sorted(expected)[number:]


def test_what_can_not_be_reached_is_listed_and_its_neighbours_too(tmp_path: Path) -> None:
    """A path that is too long stands for a denied one: root is denied nothing."""
    store = FileObjects(tmp_path)
    store.put("z", b"")
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(21):
        os.mkdir("n" * 200, dir_fd=folder)
        inner = os.open("n" * 200, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(os.open("file", os.O_CREAT, dir_fd=folder))
    os.close(folder)
    found = entries(store)
    assert list(found.values()) == ["unreadable folder", None]
    assert next(iter(found)).startswith("n" * 200 + "/")
    assert list(entries(store, start_after=next(iter(found)))) == ["z"]
    with pytest.raises(RetryableError, match="File name too long"):
        list(store.list())


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_disturbance_that_may_pass_stops_any_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    store = FileObjects(tmp_path)
    store.put("a/1", b"")
    real = os.scandir

    def scandir(path: bytes) -> Any:
        if path.endswith(b"/a/"):
            raise OSError(number, os.strerror(number))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(RetryableError, match="can't be listed"):
        entries(store)


def test_a_root_that_may_not_be_read_stops_any_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(_: bytes) -> Any:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "scandir", deny)
    with pytest.raises(RetryableError, match="can't be listed: Permission denied"):
        entries(FileObjects(tmp_path))


def test_a_missing_file_is_named_with_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=f"^sub/a.jpg: not found in {tmp_path}$"):
        FileObjects(tmp_path).get("sub/a.jpg")


def test_a_delete_takes_along_the_directories_that_it_empties(tmp_path: Path) -> None:
    store = FileObjects(tmp_path)
    store.put("a/b/c/one", b"1")
    store.put("a/two", b"2")
    store.delete("a/b/c/one")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["two"]
    store.delete("a/two")
    assert tmp_path.is_dir()
    assert not any(tmp_path.iterdir())


def test_a_writer_outlives_those_who_empty_its_directory(tmp_path: Path) -> None:
    store = FileObjects(tmp_path)
    written = threading.Event()

    def empty() -> None:
        while not written.is_set():
            store.put("a/b/other", b"")
            store.delete("a/b/other")

    with ThreadPoolExecutor(1) as pool:
        emptying = pool.submit(empty)
        try:
            for number in range(200):
                store.put(f"a/b/{number}", b"x")
                store.delete(f"a/b/{number}")
        finally:
            written.set()
        emptying.result()
