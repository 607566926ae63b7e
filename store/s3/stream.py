import io
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core.errors import RetryableError
from store.s3.errors import CUT_SHORT

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

Fetch = Callable[[int, str | None], "GetObjectOutputTypeDef"]
"""Asks for an object from an offset on, and that its etag be still this one."""

_FIRST_PAUSE = 0.1


def pause(failures: int) -> None:
    """Wait before what has failed so often is tried again: 0.1, 0.2, 0.4 ... 3.2 seconds."""
    time.sleep(_FIRST_PAUSE * 2.0 ** min(failures - 1, 5))


class S3Stream(io.RawIOBase):
    """An object's content, read on from where a connection broke; a seek begins a new request.

    What comes is of one version: if the object is replaced meanwhile, the rest is refused as
    `source_changed`.
    """

    def __init__(self, fetch: Fetch, url: str, *, attempts: int) -> None:
        self._fetch = fetch
        self._url = url
        self._attempts = attempts
        self._body: Any = None
        self._position = 0
        first = fetch(0, None)
        self._etag = first["ETag"]
        self._size = first["ContentLength"]
        self._body = first["Body"]

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes, at the price of a request."""
        return True

    def tell(self) -> int:
        """The offset of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset; nothing is asked for until something is read there."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        target = base + offset
        if target < 0:
            raise ValueError(f"offset {target} lies before the beginning")
        if target != self._position:
            self._drop()
        self._position = target
        return target

    def readinto(self, buffer: Any, /) -> int:
        """Read what comes next, at most a bufferful; 0 at the end."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._position)
        if wanted <= 0:
            return 0
        data = self._next(wanted)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        """Let go of the connection."""
        self._drop()
        super().close()

    def _next(self, wanted: int) -> bytes:
        failures = 0
        cause: Exception | None = None
        while True:
            try:
                if self._body is None:
                    self._body = self._fetch(self._position, self._etag)["Body"]
                if data := self._body.read(wanted):
                    return bytes(data)
            except CUT_SHORT as error:
                cause = error
            self._drop()
            failures += 1
            if failures >= self._attempts:
                raise RetryableError(
                    f"{self._url}: it breaks off after {self._position} bytes",
                    hint="check the connection to S3",
                ) from cause
            pause(failures)

    def _drop(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()
