"""A file from strangers, of which a library reads no more at once than it may."""

import bz2
import gzip
import io
import lzma
from pathlib import Path

_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"
_XZ_MEMORY = 256 << 20  # xz's own highest level takes a quarter of that
_PIECE = 1 << 16
_TOO_LONG = "it states a length that no header has"


class TooMuchError(ValueError):
    """More was read than the archive's bookkeeping needs."""


class BoundedReader(io.RawIOBase):
    """Reads a file forwards; between two calls of `allow` no more than that many bytes.

    Libraries read what a header states whole, however large. What is skipped does not count.
    """

    def __init__(self, source: io.BufferedIOBase, budget: int) -> None:
        super().__init__()
        self._source = source
        self._budget: int | None = budget

    def allow(self, budget: int | None) -> None:
        """Let this many bytes be read from now on; None sets no limit."""
        self._budget = budget

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it can be skipped through."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._source.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position; what lies behind it may be decompressed, but isn't kept."""
        return self._source.seek(offset, whence)

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes.

        Raises:
            TooMuchError: that is more than may be read.
        """
        wanted = -1 if size is None else size
        if self._budget is None:
            return self._source.read(wanted)
        if wanted > self._budget:
            raise TooMuchError(_TOO_LONG)
        found = self._source.read(self._budget + 1 if wanted < 0 else wanted)
        self._budget -= len(found)
        if self._budget < 0:
            raise TooMuchError(_TOO_LONG)
        return found

    def close(self) -> None:
        """Close the file."""
        self._source.close()
        super().close()


def decompressed(path: Path) -> io.BufferedIOBase:
    """Return a file's content, decompressed if it begins as gzip, bzip2 or xz.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        head = file.read(len(_XZ))
    if head.startswith(_GZIP):
        return gzip.open(path)
    if head.startswith(_BZIP2):
        return bz2.open(path)
    return _XzFile(path) if head.startswith(_XZ) else path.open("rb")


class _XzFile(io.BufferedIOBase):
    """An xz file, read forwards: its header states how much memory that takes, so it is bounded."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._decompressor = self._fresh()
        self._at = 0

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or offset < self._at:
            raise io.UnsupportedOperation("an archive is read forwards")
        while self._at < offset and self.read(min(_PIECE, offset - self._at)):
            pass
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        pieces, left = [], -1 if size is None else size
        while left and (piece := self._piece(left)):
            pieces.append(piece)
            self._at += len(piece)
            left -= len(piece) if left > 0 else 0
        return b"".join(pieces)

    def close(self) -> None:
        self._file.close()
        super().close()

    def _piece(self, most: int) -> bytes:
        """Return some bytes, at most that many unless it is negative; none at the end."""
        while True:
            unused = b""
            if self._decompressor.eof:  # one stream may follow another
                unused = self._decompressor.unused_data
                self._decompressor = self._fresh()
            wanted = self._decompressor.needs_input
            raw = unused or (self._file.read(_PIECE) if wanted else b"")
            if wanted and not raw:
                return b""
            if piece := self._decompressor.decompress(raw, most):
                return piece

    @staticmethod
    def _fresh() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
