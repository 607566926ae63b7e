"""Unpacks archives from strangers: into one directory, and only so much."""

import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from core.errors import UsageError

LARGEST_BYTES = 8 * 1024**3
"""A model's files together, unpacked."""

MOST_FILES = 10_000

_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError)


def unpack(archive: Path, into: Path, *, name: str) -> None:
    """Unpack a tar archive (compressed or not) or a zip file into an existing directory.

    What it is, its bytes tell. Links, devices and names that lead out of the directory are
    refused, not passed over: an archive with such things is none that an export is sent in.

    Args:
        archive: The file.
        into: Where to; what was unpacked before an error stays there.
        name: What messages call the archive.

    Raises:
        UsageError: It is no archive, is damaged, cut short or too large, or holds what is refused.
    """
    try:
        if tarfile.is_tarfile(archive):
            _unpack_tar(archive, into, name)
        elif zipfile.is_zipfile(archive):
            _unpack_zip(archive, into, name)
        else:
            raise UsageError(
                f"{name} is no tar or zip archive, or only a part of one",
                hint="see that the address leads to the archive itself, and get it again",
            )
    except tarfile.FilterError as error:
        raise _refused(name, str(error)) from error
    except _DAMAGED as error:
        raise UsageError(
            f"{name} cannot be unpacked: {error or type(error).__name__}",
            hint="it is damaged or was cut short: get it again; or the disk is full",
        ) from error


def _unpack_tar(archive: Path, into: Path, name: str) -> None:
    total = 0
    with tarfile.open(archive) as tar:
        for number, member in enumerate(tar, 1):
            if not (member.isfile() or member.isdir()):
                raise _refused(name, f"{member.name!r} is a link or a device")
            total += member.size
            _check_limits(name, number, total)
            tar.extract(member, into, filter="data")


def _unpack_zip(archive: Path, into: Path, name: str) -> None:
    with zipfile.ZipFile(archive) as packed:
        members = packed.infolist()
        _check_limits(name, len(members), sum(member.file_size for member in members))
        for member in members:
            path = PurePosixPath(member.filename.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts:
                raise _refused(name, f"{member.filename!r} leads out of the archive")
            try:
                packed.extract(member, into)
            except (RuntimeError, NotImplementedError) as error:  # passwords, odd compressions
                raise UsageError(f"{name} cannot be unpacked: {error}") from error


def _check_limits(name: str, files: int, total: int) -> None:
    if files > MOST_FILES or total > LARGEST_BYTES:
        raise UsageError(
            f"{name} unpacks to more than {MOST_FILES:,} files or {LARGEST_BYTES:,} bytes",
            hint="pack the export's directory alone",
        )


def _refused(name: str, why: str) -> UsageError:
    return UsageError(
        f"{name} is refused: {why}", hint="pack the export's directory again, as plain files"
    )
