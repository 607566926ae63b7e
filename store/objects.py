"""What an object store does, whatever it is made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store knows about an object: `size` in bytes, `modified` in seconds since 1970.

    `etag` changes when the object's content does; it only means something to the same store.
    """

    key: str
    size: int
    etag: str
    modified: float


@dataclass(frozen=True, slots=True)
class NoObject:
    """Something in a store that can't be an object; `why` as in `core.passed_over`.

    The key of a directory, all of which is meant, ends in `/`.
    """

    key: str
    why: str


class ObjectStore(Protocol):
    """Objects under keys: a directory, a bucket or a prefix in one.

    A key is a relative path with `/` between its segments; bytes that are no UTF-8 are lone
    surrogates in it, as `os.fsdecode` makes them. Safe to share between threads.

    Every method raises `BadInputError` if the object is at fault (`source_missing`,
    `access_denied`, `bad_key`), `RetryableError` if its surroundings are (disk full, network),
    the subclass `BlockedError` if somebody has to act first (credentials, permissions), and
    `FatalError` if the store itself does not exist.
    """

    def get(self, key: str, *, if_match: str | None = None, max_bytes: int | None = None) -> bytes:
        """Return the object's content.

        Raises:
            BadInputError: also `source_changed` if its etag is not `if_match`, and `too_large` if
                it has more than `max_bytes`; no more than these are read.
        """
        ...

    def open(self, key: str) -> BinaryIO:
        """Return the object's content as a seekable stream, which the caller closes.

        For content that may be large. Reading raises as `get` does, `source_changed` included.
        """
        ...

    def put(self, key: str, data: bytes | memoryview, *, durable: bool = False) -> None:
        """Create or replace the object; readers see the old content or the new, never a part.

        With `durable` the content survives a power cut once this returns; without it a
        power cut may lose what was put in the last seconds. A crash of the process loses nothing.
        """
        ...

    def put_stream(self, key: str, source: BinaryIO, *, durable: bool = False) -> None:
        """Put an object from a stream that is read to its end; memory does not grow with it."""
        ...

    def head(self, key: str) -> ObjectInfo:
        """Return what the store knows about the object."""
        ...

    def exists(self, key: str) -> bool:
        """Return whether there is an object under this key."""
        ...

    def copy(self, src: str, dst: str) -> None:
        """Copy what is under `src` to `dst`, durably; repeating it is harmless."""
        ...

    def delete(self, key: str) -> None:
        """Delete the object, if there is one."""
        ...

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose keys start with `prefix` and come after `start_after`.

        Keys ascend in the order of their UTF-8 bytes. The listing streams; objects that come or
        go meanwhile may or may not be in it, all others are in it exactly once.
        """
        ...

    def entries(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo | NoObject]:
        """Yield what `list` does, and in between whatever else lies there.

        What may not be read is yielded, too, where `list` raises.
        """
        ...

    def url(self, key: str) -> str:
        """Return the object's URL, which `store.locations.split_location` can take apart."""
        ...
