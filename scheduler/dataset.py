"""Works out what a person means by a source, and whether it can be read at all."""

import glob
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from core.errors import BadInputError, FatalError, RetryableError, UsageError
from core.formats import unread_format
from core.selection import Selection, media_kind
from core.sources import Source, SourceKind, parse_source
from scheduler.listing import Listed, listing
from store.locations import is_folder, is_object, open_store, split_location
from store.s3.location import S3Location, is_s3

_URL = re.compile("[A-Za-z][A-Za-z0-9+.-]*://")
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Dataset:
    """A source as the planner will read it: `source` is absolute, `name` is for people."""

    name: str
    source: str


def locate(text: str, *, must_exist: bool = True) -> Dataset:
    """Make a source absolute and check that it can be read.

    A folder may be written without its slash, and a file counts as a file even if its name looks
    like a glob. If `must_exist` is false, no bucket is asked.

    Raises:
        UsageError: nothing is there, it cannot be read, or it holds nothing to run on.
    """
    path = _absolute(text)
    with _reading(path):
        if not path.endswith("/") and is_folder(path):
            path += "/"
        name = _name(path)
        if not path.endswith("/") and is_object(path):
            path = _of_file(path)
        if must_exist:
            if parse_source(path).kind is SourceKind.FOLDER and not is_folder(path):
                raise UsageError(f"there is no folder {path!r}", hint="see that the path is right")
            _check_readable(parse_source(path))
    return Dataset(name, path)


def _name(path: str) -> str:
    name = path.rstrip("/").rpartition("/")[2] or path
    return name if name.isprintable() else name.encode("unicode_escape").decode()


def _absolute(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise UsageError("the source is empty", hint="name a folder, a glob or a list of items")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{text!r} is not valid UTF-8",
            hint="name the folder above it, or rename it",
        ) from error
    if is_s3(text):
        return S3Location.parse(text).url
    path = text
    if _URL.match(text):  # takes it apart, and refuses what no store is known for
        path = os.path.join(*split_location(text.rstrip("/")))  # noqa: PTH118
    elif text.startswith("~"):
        path = os.path.expanduser(text)  # noqa: PTH111
    # Neither resolves links nor touches the disk; pathlib would read globs as names.
    path = os.path.abspath(path)  # noqa: PTH100
    return f"{path.rstrip('/')}/" if text.endswith("/") else path


def _of_file(path: str) -> str:
    """Return the spelling that makes a file be understood as one."""
    kind = parse_source(path).kind
    if kind.is_manifest:
        return path
    suffix = Path(path).suffix
    media, unread = media_kind(path), unread_format(path)
    if media != "image":
        other = (
            "not an image, by its name" if unread is None else f"{unread.name}, which is not read"
        )
        raise UsageError(
            f"{path!r} is {f'a {media}' if media else other}",
            hint="name an image, a folder, a glob, or a list of items (.txt, .jsonl, .csv)"
            + ("" if suffix else "; files are told apart by their suffixes"),
        )
    return path if kind is SourceKind.FILE else glob.escape(path)


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Say which source the store's error is about."""
    try:
        yield
    except BadInputError as error:
        raise UsageError(
            f"the source {path!r} cannot be read: {error}",
            hint="see that the path is right and that you may read it",
        ) from error
    except (FatalError, RetryableError) as error:
        raise UsageError(f"the source {path!r} cannot be read: {error}", hint=error.hint) from error


def _check_readable(source: Source) -> None:
    if source.kind is SourceKind.FILE or source.kind.is_manifest:
        open_store(source.root).head(source.name)
    else:
        next(open_store(source.root).list(), None)


def why_passed_over(found: Listed, selection: Selection) -> str | None:
    """Return why a listed object is not an item of a job, or None if it is one."""
    kind = media_kind(found.key)
    if kind is None:
        return "not an image"
    if kind != "image":
        return f"a {kind}, not an image"
    return selection.passes_over(found.key, size=found.size, modified=found.modified)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a job would be: its items, their bytes if known, what is passed over and why."""

    items: int
    size: int
    passed_over: Mapping[str, int]
    examples: tuple[str, ...]


def estimate(path: str, selection: Selection) -> Estimate:
    """Read a whole listing as the planner would, without keeping it.

    Raises:
        UsageError: a line of a list cannot be read.
        BadInputError, RetryableError: as the store raises them.
    """
    items, size = 0, 0
    passed_over: dict[str, int] = {}
    examples: list[str] = []
    for found in _selected(path, selection, passed_over):
        items += 1
        size += found.size or 0
        if len(examples) < _EXAMPLES:
            examples.append(found.key)
    return Estimate(items, size, passed_over, tuple(examples))


def _selected(path: str, selection: Selection, passed_over: dict[str, int]) -> Iterator[Listed]:
    def selected() -> Iterator[Listed]:
        for found in listing(parse_source(path), None):
            reason = why_passed_over(found, selection)
            if reason is None:
                yield found
            else:
                passed_over[reason] = passed_over.get(reason, 0) + 1

    return islice(selected(), selection.limit)
