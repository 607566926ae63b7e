"""Opens the store that a path or URL names."""

import os
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from core.errors import UsageError
from store.files import FileObjects
from store.objects import ObjectStore
from store.s3.location import S3Location, is_s3
from store.s3.options import S3Options

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import fs

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")

_s3_options = S3Options()


def use_s3(options: S3Options) -> None:
    """Set the options with which S3 stores are opened, once, where a process starts."""
    global _s3_options  # noqa: PLW0603 - one per process, like the environment it comes from
    _s3_options = options


def open_store(url: str) -> ObjectStore:
    """Return the store at a directory (a path or `file://` URL) or at `s3://bucket/prefix`.

    Nothing is read or created yet.

    Raises:
        UsageError: no store of this kind is known.
    """
    if is_s3(url):
        # Its import takes longer than most commands, and few need it.
        from store.s3.store import S3Objects  # noqa: PLC0415

        return S3Objects(S3Location.parse(url), _s3_options)
    return FileObjects(Path(_local_path(url)))


def ranged(location: str, key: str) -> "pa.NativeFile | None":
    """Return an object of a bucket, of which only the ranges that pyarrow reads are fetched.

    None if objects of this bucket can only be had as a whole.

    Raises:
        FatalError: it cannot be opened.
    """
    from store.s3.ranges import ranged_object  # noqa: PLC0415 - as above

    return ranged_object(S3Location.parse(location), key, _s3_options)


def arrow_place(location: str) -> "tuple[str, fs.FileSystem]":
    """Return a location as pyarrow knows it: a path, without a slash at its end, and what has it.

    Raises:
        BlockedError: there are no credentials for its bucket.
    """
    if not is_s3(location):
        from pyarrow import fs  # noqa: PLC0415 - few commands need it

        return absolute(location).rstrip("/"), fs.LocalFileSystem(use_mmap=True)
    from store.s3.ranges import s3_filesystem  # noqa: PLC0415 - as above

    place = S3Location.parse(location)
    return f"{place.bucket}/{place.folder}".rstrip("/"), s3_filesystem(_s3_options)


def absolute(location: str) -> str:
    """Return where a location is, however it was written: an absolute path, or the bucket's URL."""
    return location if is_s3(location) else os.path.abspath(_local_path(location))  # noqa: PTH100


def split_location(url: str) -> tuple[str, str]:
    """Return the location of the store that an object lies in, and the object's key there.

    `open_store(location).get(key)` reads the object: `/data/a.jpg` is `a.jpg` in `/data`.

    Raises:
        UsageError: no store of this kind is known, or the location names no object.
    """
    if is_s3(url):
        place = S3Location.parse(url)
        folder, slash, name = place.key.rpartition("/")
        location = S3Location(place.bucket, folder + slash).url
    else:
        location, name = os.path.split(_local_path(url))
    if name in {"", ".", ".."}:
        raise UsageError(f"{url!r} names a directory", hint="name a file in it")
    return location or ".", name


def is_folder(location: str) -> bool:
    """Return whether there is such a directory, or anything below such a prefix of a bucket.

    Raises:
        RegattaError: the bucket does not exist, or cannot be asked.
    """
    if is_s3(location):
        return next(islice(open_store(location).list(), 1), None) is not None
    # Unlike Path.is_dir, this says no to names that are too long, or may not be looked at.
    return os.path.isdir(_local_path(location))  # noqa: PTH112


def is_object(location: str) -> bool:
    """Return whether there is such a file or object.

    Raises:
        RegattaError: the bucket does not exist, or cannot be asked.
    """
    if not is_s3(location):
        return os.path.isfile(_local_path(location))  # noqa: PTH113
    if location.endswith("/"):
        return False
    folder, name = split_location(location)
    return open_store(folder).exists(name)


def _local_path(url: str) -> str:
    if not url or "\0" in url:
        raise UsageError(f"{url!r} is not a location", hint=_SUPPORTED)
    scheme = _SCHEME.match(url)
    if scheme is None:
        return url
    if scheme[1].lower() != "file":
        raise UsageError(
            f"{scheme[1]}:// is not supported (in {_without_credentials(url)!r})", hint=_SUPPORTED
        )
    # Only the path of such a URL counts: `?` and `#` in a path would have been encoded.
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"} or parts.query or parts.fragment or not parts.path:
        raise UsageError(
            f"{url!r} is not a file:// URL of this machine",
            hint="write file:///directory/file, with ? and # as %3F and %23",
        )
    return os.fsdecode(unquote_to_bytes(parts.path))


def _without_credentials(url: str) -> str:
    return re.sub(r"//[^/]*@", "//", url)


_SUPPORTED = "supported are paths, file:// URLs and s3://bucket/prefix"
