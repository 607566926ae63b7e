import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from core.errors import UsageError
from store.files import FileObjects
from store.objects import ObjectStore

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def open_store(url: str) -> ObjectStore:
    """The store at a location: a directory, as a path or a `file://` URL.

    Nothing is read or created yet.

    Raises:
        UsageError: No store of this kind is known.
    """
    return FileObjects(Path(_local_path(url)))


def split_location(url: str) -> tuple[str, str]:
    """The location of the store that an object lies in, and the object's key there.

    `open_store(location).get(key)` reads the object: `/data/a.jpg` is `a.jpg` in `/data`.

    Raises:
        UsageError: No store of this kind is known, or the location names no object.
    """
    folder, name = os.path.split(_local_path(url))
    if name in {"", ".", ".."}:
        raise UsageError(f"{url!r} names a directory", hint="name a file in it")
    return folder or ".", name


def _local_path(url: str) -> str:
    if not url or "\0" in url:
        raise UsageError(f"{url!r} is not a location", hint="give a path or a file:// URL")
    scheme = _SCHEME.match(url)
    if scheme is None:
        return url
    if scheme[1].lower() != "file":
        raise UsageError(
            f"{scheme[1]}:// is not supported (in {_without_credentials(url)!r})",
            hint="supported are paths and file:// URLs",
        )
    # Only the path of such a URL is ours: `?` and `#` in it would have been encoded.
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"} or parts.query or parts.fragment or not parts.path:
        raise UsageError(
            f"{url!r} is not a file:// URL of this machine",
            hint="write file:///directory/file, with ? and # as %3F and %23",
        )
    return os.fsdecode(unquote_to_bytes(parts.path))


def _without_credentials(url: str) -> str:
    return re.sub(r"//[^/]*@", "//", url)
