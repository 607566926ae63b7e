from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store says of an object: `size` in bytes, `modified` in seconds since 1970.

    `etag` changes when the object's content does; it means something to the same store only.
    """

    key: str
    size: int
    etag: str
    modified: float


class ObjectStore(Protocol):
    """Objects under keys: a directory, a bucket or a prefix in one.

    A key is a relative path with `/` between its segments; bytes that are no UTF-8 are lone
    surrogates in it, as `os.fsdecode` makes them. Safe to share between threads.

    Every method raises `BadInputError` where the object is at fault (`source_missing`,
    `access_denied`, `bad_key`), `RetryableError` where the world is (disk full, network), its
    kind `BlockedError` where somebody has to act first (credentials, permissions), and
    `FatalError` where the store itself does not exist.
    """

    def get(self, key: str, *, if_match: str | None = None, max_bytes: int | None = None) -> bytes:
        """The object's content.

        Raises:
            BadInputError: Also `source_changed` if its etag is not `if_match`, and `too_large`
                if it has more than `max_bytes`, of which no more are read.
        """
        ...

    def open(self, key: str) -> BinaryIO:
        """The object's content as a seekable stream, to be closed by the caller.

        For what may be large. Reading raises as `get` does, `source_changed` included.
        """
        ...

    def put(self, key: str, data: bytes | memoryview, *, durable: bool = False) -> None:
        """Create or replace the object; readers see the old content or the new, never a part.

        With `durable` the content survives a power cut once this returns; without it a
        power cut may lose what was put in the last seconds. A crash of the process loses nothing.
        """
        ...

    def put_stream(self, key: str, source: BinaryIO, *, durable: bool = False) -> None:
        """As `put`, from a stream that is read to its end: memory does not grow with it."""
        ...

    def head(self, key: str) -> ObjectInfo:
        """What the store knows of the object."""
        ...

    def exists(self, key: str) -> bool:
        """Whether there is an object under this key."""
        ...

    def copy(self, src: str, dst: str) -> None:
        """Put what is under `src` under `dst`, durably; once done, doing it again is harmless."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object; there may be none."""
        ...

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo]:
        """The objects whose keys start with `prefix` and come after `start_after`.

        Keys ascend in the order of their UTF-8 bytes. The listing streams; objects that come or
        go meanwhile may be in it or not, all others are in it exactly once.
        """
        ...

    def url(self, key: str) -> str:
        """A URL of the object that `store.locations.split_location` takes apart again."""
        ...
