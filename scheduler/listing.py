"""Reads a source: streams what it lists, from any point reached before."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from core.errors import BadInputError, UsageError
from core.keys import key_to_text
from core.passed_over import NAMED_TWICE
from core.sources import Source, SourceKind
from scheduler.repeated_names import Names, Seen
from store.locations import open_store
from store.objects import NoObject, ObjectInfo, ObjectStore

SOURCE = "source"
"""The name under which the cursor of several sources has the number of the one that is listed."""

_KEY_FIELDS = ("key", "item", "path", "uri", "url")
_MAGIC = re.compile(r"[*?\[]")
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of a source, and the cursor from which to continue after it.

    `why` says why it can't be an item, whatever is selected (`core.passed_over`). `is_hidden` is
    whether a listing found it below a name that begins with a dot; who names an item, means it.
    `is_repeated` is whether a list has the name long before, as far as can be told.
    """

    key: str
    cursor: Mapping[str, Any]
    uri: str | None = None
    size: int | None = None
    etag: str | None = None
    modified: float | None = None
    why: str | None = None
    is_hidden: bool = False
    is_repeated: bool = False


def listing_of_all(sources: Sequence[Source], cursor: Mapping[str, Any] | None) -> Iterator[Listed]:
    """Yield the entries of a job's sources after `cursor`, one source after another.

    Raises:
        UsageError, BadInputError, RetryableError, FatalError: as `listing`.
    """
    if len(sources) == 1:
        yield from listing(sources[0], cursor)
        return
    reached, at = (int(cursor[SOURCE]), cursor["at"]) if cursor else (0, None)
    for number, source in enumerate(sources[reached:], start=reached):
        for found in listing(source, at):
            place = {SOURCE: number, "at": found.cursor}
            yield replace(found, key=source.item_key(found.key), cursor=place)
        at = None


def listing(source: Source, cursor: Mapping[str, Any] | None) -> Iterator[Listed]:
    """Yield a source's entries after `cursor`, in a fixed order, with bounded memory.

    Raises:
        UsageError: a line of a list cannot be read; the message names it.
        BadInputError, RetryableError, FatalError: as the store raises them.
    """
    store = open_store(source.root)
    if source.kind is SourceKind.FILE:
        if cursor is None:
            yield _found(store.head(source.name))
    elif source.kind.is_manifest:
        yield from _named(store, source, int((cursor or {}).get("line", 0)))
    else:
        yield from _stored(store, source, str((cursor or {}).get("key", "")))


def _stored(store: ObjectStore, source: Source, start_after: str) -> Iterator[Listed]:
    pattern = source.name if source.kind is SourceKind.GLOB else None
    prefix = _MAGIC.split(pattern, maxsplit=1)[0] if pattern else ""
    # As in a shell, a pattern that spells the dot means what is hidden.
    spells_dot = pattern is not None and _is_hidden(pattern)
    for entry in store.entries(prefix, start_after):
        if pattern is None or _may_match(entry.key, pattern):
            is_hidden = not spells_dot and _is_hidden(entry.key)
            if isinstance(entry, NoObject):
                yield Listed(entry.key, {"key": entry.key}, why=entry.why, is_hidden=is_hidden)
            else:
                yield replace(_found(entry), is_hidden=is_hidden)


def _is_hidden(key: str) -> bool:
    return key.startswith(".") or "/." in key


def _may_match(key: str, pattern: str) -> bool:
    """Return whether a key matches, or, of a folder (it ends in `/`), one below it might."""
    if not key.endswith("/"):
        return _matches(key, pattern)
    patterns = pattern.split("/")
    for part, wanted in zip(key.split("/")[:-1], patterns, strict=False):
        if wanted == "**":
            return True
        if not fnmatchcase(part, wanted):
            return False
    return key.count("/") < len(patterns)


def _matches(key: str, pattern: str) -> bool:
    """Match as a shell does: `*` stays within a folder, `**` crosses folders."""
    return _match(key.split("/"), pattern.split("/"))


def _match(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    if not patterns:
        return not parts
    rest = patterns[1:]
    if patterns[0] == "**":
        return any(_match(parts[skip:], rest) for skip in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], patterns[0]) and _match(parts[1:], rest)


def _found(info: ObjectInfo) -> Listed:
    return Listed(
        info.key,
        {"key": info.key},
        size=info.size,
        etag=info.etag,
        modified=info.modified,
    )


def _named(store: ObjectStore, source: Source, skip: int) -> Iterator[Listed]:
    with store.open(source.name) as raw:
        # Editors and spreadsheets may begin a file with a byte order mark.
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")
        rows = _records(text, source) if source.kind is SourceKind.CSV else _rows(text, source)
        names = Names()  # those before the cursor, too
        for number, row in rows:
            found = _item(row, number, source)
            seen = names.see(found.key)
            if number > skip:
                yield _as_seen(found, seen)


def _records(text: io.TextIOWrapper, source: Source) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the number of each record's last line, and the record by its header."""
    reader = csv.DictReader(text)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise _bad(source, reader.reader.line_num, f"not CSV: {error}") from error
        if row is None:
            return
        yield reader.line_num, row


def _rows(text: io.TextIOWrapper, source: Source) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield each line's number and content, without blank lines and comments."""
    is_json = source.kind is SourceKind.JSONL
    for number, line in enumerate(text, start=1):
        bare = line.rstrip("\r\n")
        if bare.strip() and (is_json or not bare.startswith("#")):
            yield number, _object(bare, number, source) if is_json else {"key": bare}


def _object(line: str, number: int, source: Source) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _bad(source, number, f"not JSON: {error}") from error
    if isinstance(row, str):
        return {"key": row}
    if not isinstance(row, dict):
        raise _bad(source, number, f"not a JSON object: {line[:80]}")
    return row


def _item(row: Mapping[str, Any], number: int, source: Source) -> Listed:
    name = next((row[field] for field in _KEY_FIELDS if row.get(field)), None)
    if not isinstance(name, str):
        raise _bad(source, number, f"none of the fields {', '.join(_KEY_FIELDS)} names an item")
    try:
        key_to_text(name)
    except BadInputError as error:
        raise _bad(source, number, str(error)) from error
    size = row.get("size") or None
    if size is not None and not _WHOLE.fullmatch(str(size)):
        raise _bad(source, number, f"size {size!r} is not a whole number of bytes")
    etag = row.get("etag") or None
    if etag is not None and not isinstance(etag, str):
        raise _bad(source, number, f"etag {etag!r} is not text")
    elsewhere = name.startswith("/") or urlsplit(name).scheme in {"file", "s3"}
    return Listed(
        name,
        {"line": number},
        uri=name if elsewhere else None,
        size=None if size is None else int(size),
        etag=etag,
    )


def _as_seen(found: Listed, seen: Seen) -> Listed:
    if seen is Seen.NEVER:
        return found
    return replace(
        found,
        why=NAMED_TWICE if seen is Seen.NEAR else None,
        is_repeated=seen is Seen.FAR,
    )


def _bad(source: Source, number: int, what: str) -> UsageError:
    return UsageError(f"{source.root}{source.name}, line {number}: {what}")
