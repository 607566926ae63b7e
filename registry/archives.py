"""Unpacks archives from strangers: into one directory, and only so much."""

import lzma
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from core.errors import UsageError
from registry.bounded_reader import BoundedReader, TooMuchError, decompressed

LARGEST_BYTES = 8 * 1024**3
"""A model's files together, unpacked."""

MOST_FILES = 10_000

_DIRECTORY_BYTES = 4 << 20  # of a zip
_HEADER_BYTES = 1 << 20  # of a file in a tar: long names, extended headers
_SMALL_BYTES = 1 << 30
_MOST_RATIO = 200  # of unpacked bytes to packed ones, beyond `_SMALL_BYTES`; weights barely shrink

_ZIP, _EMPTY_ZIP = b"PK\x03\x04", b"PK\x05\x06"
_COMPRESSIONS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2})

_DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, NotImplementedError, OSError, RecursionError, ValueError),
)


def unpack(archive: Path, into: Path, *, name: str) -> None:
    """Unpack a tar archive (compressed or not) or a zip file into an existing directory.

    Its bytes tell which kind it is. Links, devices and names that lead out of the directory are
    refused rather than skipped: no archive of an export has them.

    Args:
        archive: The file.
        into: The directory; what was unpacked before an error stays there.
        name: What messages call the archive.

    Raises:
        UsageError: it is not an archive, is damaged, cut short or too large, or holds what is
            refused.
    """
    try:
        is_known = (not _is_zip(archive) and _unpack_tar(archive, into, name)) or (
            zipfile.is_zipfile(archive) and _unpack_zip(archive, into, name)
        )
        if not is_known:
            raise UsageError(
                f"{name} is not a tar or zip archive, or only part of one",
                hint="check that the address leads to the archive itself, and get it again",
            )
    except (tarfile.FilterError, TooMuchError) as error:
        raise _refused(name, str(error)) from error
    except _DAMAGED as error:
        raise UsageError(
            f"{name} cannot be unpacked: {error or type(error).__name__}",
            hint="it is damaged or was cut short: get it again; or the disk is full",
        ) from error


def _is_zip(archive: Path) -> bool:
    with archive.open("rb") as file:
        return file.read(len(_ZIP)) in {_ZIP, _EMPTY_ZIP}


def _unpack_tar(archive: Path, into: Path, name: str) -> bool:
    """Unpack a tar archive; return whether it is one."""
    packed = archive.stat().st_size
    total = 0
    with BoundedReader(decompressed(archive), _HEADER_BYTES) as source:
        try:
            tar = tarfile.open(fileobj=source, mode="r:")  # noqa: SIM115 - closed below
        except tarfile.ReadError:
            return False
        with tar:
            for number, member in enumerate(tar, 1):
                if not (member.isfile() or member.isdir()):
                    raise _refused(name, f"{member.name!r} is a link or a device")
                if member.issparse():
                    raise _refused(name, f"{member.name!r} is a sparse file")
                total += member.size
                _check_limits(name, number, total, packed)
                source.allow(None)
                tar.extract(member, into, filter="data")
                source.allow(_HEADER_BYTES)  # for the headers of the next one
    return True


def _unpack_zip(archive: Path, into: Path, name: str) -> bool:
    """Unpack a zip archive, which it is known to be; return so."""
    packed = archive.stat().st_size
    with (
        BoundedReader(archive.open("rb"), _DIRECTORY_BYTES) as source,
        zipfile.ZipFile(source) as packed_files,
    ):
        members = packed_files.infolist()
        _check_limits(name, len(members), sum(each.file_size for each in members), packed)
        source.allow(None)
        for member in members:
            path = PurePosixPath(member.filename.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts:
                raise _refused(name, f"{member.filename!r} leads out of the archive")
            if member.compress_type not in _COMPRESSIONS:
                raise _refused(name, f"{member.filename!r} is compressed in an unusual way")
            try:
                packed_files.extract(member, into)
            except (RuntimeError, NotImplementedError) as error:  # passwords, for example
                raise UsageError(f"{name} cannot be unpacked: {error}") from error
    return True


def _check_limits(name: str, files: int, total: int, packed: int) -> None:
    if files > MOST_FILES or total > LARGEST_BYTES:
        raise UsageError(
            f"{name} unpacks to more than {MOST_FILES:,} files or {LARGEST_BYTES:,} bytes",
            hint="pack the export's directory alone",
        )
    if total > max(_SMALL_BYTES, packed * _MOST_RATIO):
        raise _refused(name, f"it unpacks to more than {_MOST_RATIO} times its size")


def _refused(name: str, why: str) -> UsageError:
    return UsageError(
        f"{name} is refused: {why}", hint="pack the export's directory again, as plain files"
    )
