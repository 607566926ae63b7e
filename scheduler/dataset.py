"""Works out what a person means by a source, and whether it can be read at all."""

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from core.errors import RegattaError, UsageError
from core.formats import unread_format
from core.passed_over import (
    APPLE_DOUBLE,
    EXCLUDED,
    HIDDEN,
    NAMED_TWICE,
    NOT_AN_IMAGE,
    TOO_OLD,
    VIDEO,
    in_words,
)
from core.selection import Selection, media_kind
from core.sources import Source, SourceKind, named, parse_source, sources_by_prefix
from scheduler.listing import Listed, listing_of_all
from store.locations import is_folder, is_object, open_store, split_location
from store.naming import naming
from store.s3.location import S3Location, is_s3

_URL = re.compile("[A-Za-z][A-Za-z0-9+.-]*://")
_EXAMPLES = 5
_SIZES = (
    (10_000, "below 10 kB"),
    (100_000, "to 100 kB"),
    (1_000_000, "to 1 MB"),
    (10_000_000, "to 10 MB"),
    (float("inf"), "from 10 MB"),
)
_UNKNOWN_SIZE = "unknown"
_MOST_SOURCES = 1000  # every claim of a shard reads them


@dataclass(frozen=True, slots=True)
class Dataset:
    """A source as the planner will read it: `source` is absolute, `name` is for people.

    Of several sources, `source` is for people, too; `several` are the sources with their names.
    """

    name: str
    source: str
    several: tuple[tuple[str, str], ...] = ()

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources, in the order given."""
        return tuple(sources_by_prefix(self.source, self.several).values())

    @property
    def texts(self) -> tuple[str, ...]:
        """The sources as they may be given again."""
        return tuple(text for _, text in self.several) or (self.source,)


def locate_all(texts: Sequence[str]) -> Dataset:
    """Make a job's sources absolute and check that they can be read; see `locate`.

    Raises:
        UsageError: one of them can't be read, or is there twice, or they are too many.
        RetryableError: a store is away.
    """
    if len(texts) > _MOST_SOURCES:
        raise UsageError(
            f"{len(texts):,} sources are too many; at most {_MOST_SOURCES:,} are allowed",
            hint="name their folder, put the glob in quotes, or list them in a file (.txt)",
        )
    each = [locate(text) for text in texts]
    if len(each) == 1:
        return each[0]
    counts = Counter(one.source for one in each)
    if repeated := [source for source, times in counts.items() if times > 1]:
        raise UsageError(f"the source {repeated[0]!r} is named twice", hint="name it once")
    several = named([one.source for one in each])
    more = len(each) - 1
    name = f"{each[0].name} and {each[1].name if more == 1 else f'{more} more'}"
    return Dataset(name, ", ".join(one.source for one in each), several)


def locate(text: str, *, must_exist: bool = True) -> Dataset:
    """Make a source absolute and check that it can be read.

    A folder may be written without its slash, and a file counts as a file even if its name looks
    like a glob. If `must_exist` is false, no bucket is asked.

    Raises:
        UsageError: nothing is there, it cannot be read, or it holds nothing to run on.
        RetryableError: its store is away.
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


def _reading(source: str) -> AbstractContextManager[None]:
    return naming(
        f"the source {source!r} cannot be read",
        hint="see that the path is right and that you may read it",
    )


def _check_readable(source: Source) -> None:
    if source.kind is SourceKind.FILE or source.kind.is_manifest:
        open_store(source.root).head(source.name)
    else:
        next(open_store(source.root).entries(), None)


def why_passed_over(found: Listed, selection: Selection) -> str | None:
    """Return why an entry is not an item of a job (`core.passed_over`), or None if it is one."""
    if found.why == NAMED_TWICE:
        return NAMED_TWICE
    if found.is_hidden and not selection.hidden:
        return HIDDEN
    if found.key.rpartition("/")[2].startswith("._"):
        return APPLE_DOUBLE  # what macOS leaves beside a file on other file systems
    if found.why is not None and found.key.endswith("/"):  # what lies below might be included
        return EXCLUDED if selection.excludes(found.key) else found.why
    reason = _why_no_image(found.key) if found.why is None else None
    if reason is None:
        reason = selection.passes_over(found.key, size=found.size, modified=found.modified)
    return reason or found.why


def _why_no_image(key: str) -> str | None:
    kind = media_kind(key)
    if kind is not None:
        return None if kind == "image" else VIDEO
    unread = unread_format(key)
    return NOT_AN_IMAGE if unread is None else f"{unread.name} (not read)"


def why_empty(
    source: str, selection: Selection, passed_over: Mapping[str, int]
) -> RegattaError | None:
    """Return what to say of a job that has no items; None if that is a success.

    It is if whoever made the job said so, and if only the time since kept items out.
    """
    if selection.allow_empty or passed_over.get(TOO_OLD):
        return None
    sources = sources_by_prefix(source, selection.sources).values()
    total = sum(passed_over.values())
    hints = [hint for one in sources if (hint := _glob_hint(one))]
    if total:
        entries = f"{total:,} {'entry' if total == 1 else 'entries'}"
        what = ", ".join([entries, *in_words(passed_over)])
    else:
        what = "; ".join(map(holds_nothing, sources))
    return RegattaError(f"nothing to do: {what}", hint="; ".join(hints) or None)


def holds_nothing(source: Source) -> str:
    """Return that a source has no entries, in words."""
    if source.kind is SourceKind.GLOB:
        return f"nothing in {source.root!r} matches {source.name!r}"
    if source.kind.is_manifest:
        return f"{source.root + source.name!r} names nothing"
    return f"{source.root!r} is empty"


def _glob_hint(source: Source) -> str | None:
    """Return how to spell brackets that are in a path, if a glob was made of them."""
    if source.kind is not SourceKind.GLOB or "[" not in source.name:
        return None
    parts = source.name.split("/")
    for end in range(len(parts), 0, -1):
        path, rest = "/".join(parts[:end]), parts[end:]
        if "[" not in path:
            break
        is_there = is_folder if rest else is_object
        if is_there(f"{source.root}{path}"):
            spelt = source.root + "/".join([glob.escape(path), *rest])
            return f"[ ] in a source make a glob; for {source.root + path!r} write {spelt!r}"
    return None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a job would be: its items, their bytes if known, what is passed over and why.

    `sizes` counts the items by their size, in words, the smallest first.
    """

    items: int
    size: int
    sizes: Mapping[str, int]
    passed_over: Mapping[str, int]
    examples: tuple[str, ...]


def estimate(source: str, selection: Selection) -> Estimate:
    """Read whole listings as the planner would, without keeping them.

    Raises:
        UsageError: a source cannot be read, or a line of a list.
        RetryableError: a store is away.
    """
    items, size = 0, 0
    passed_over: Counter[str] = Counter()
    sizes = dict.fromkeys([*(name for _, name in _SIZES), _UNKNOWN_SIZE], 0)
    examples: list[str] = []
    sources = tuple(sources_by_prefix(source, selection.sources).values())
    with _reading(source):
        for found in selected(listing_of_all(sources, None), selection, passed_over):
            items += 1
            size += found.size or 0
            sizes[_size_class(found.size)] += 1
            if len(examples) < _EXAMPLES:
                examples.append(found.key)
    there = {name: number for name, number in sizes.items() if number}
    return Estimate(items, size, there, dict(passed_over), tuple(examples))


def _size_class(size: int | None) -> str:
    if size is None:
        return _UNKNOWN_SIZE
    return next(name for below, name in _SIZES if size < below)


def selected(
    entries: Iterable[Listed], selection: Selection, passed_over: Counter[str]
) -> Iterator[Listed]:
    """Yield the entries that are items of a job; the others are counted by reason."""

    def items() -> Iterator[Listed]:
        for found in entries:
            reason = why_passed_over(found, selection)
            if reason is None:
                yield found
            else:
                passed_over[reason] += 1

    return islice(items(), selection.limit)
