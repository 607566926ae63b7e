"""Reads a source: a stream of what lies there, from any point that was reached before."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from core.errors import UsageError
from core.sources import Source, SourceKind
from store.locations import open_store
from store.objects import ObjectInfo, ObjectStore

_KEY_FIELDS = ("key", "item", "path", "uri", "url")


@dataclass(frozen=True, slots=True)
class Listed:
    """An object of the listing, and the cursor to go on behind it."""

    key: str
    cursor: Mapping[str, Any]
    uri: str | None = None
    size: int | None = None
    etag: str | None = None
    modified: float | None = None


def listing(source: Source, cursor: Mapping[str, Any] | None) -> Iterator[Listed]:
    """Yield the source's objects behind `cursor`, in a fixed order, with bounded memory.

    Raises:
        UsageError: a manifest's line cannot be read; it is named.
        BadInputError, RetryableError: as the store raises them.
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
    for info in store.list(start_after=start_after):
        if pattern is None or _matches(info.key, pattern):
            yield _found(info)


def _matches(key: str, pattern: str) -> bool:
    """Match as a shell does: `*` stays within a folder, `**` crosses folders."""
    if "**" in pattern:
        return fnmatchcase(key, pattern.replace("**/", "*").replace("**", "*"))
    parts, patterns = key.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


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
        text = io.TextIOWrapper(raw, encoding="utf-8", errors="surrogateescape", newline="")
        for number, row in enumerate(_rows(text, source), start=1):
            if number > skip and row is not None:
                yield _item(row, number, source)


def _rows(text: io.TextIOWrapper, source: Source) -> Iterator[Mapping[str, Any] | None]:
    """Yield a mapping per line, None for blank ones, so that line numbers stay true."""
    if source.kind is SourceKind.CSV:
        yield from csv.DictReader(text)
        return
    for number, line in enumerate(text, start=1):
        bare = line.rstrip("\r\n")
        if not bare.strip() or (source.kind is SourceKind.LINES and bare.startswith("#")):
            yield None
        elif source.kind is SourceKind.LINES:
            yield {"key": bare}
        else:
            yield _object(bare, number, source)


def _object(line: str, number: int, source: Source) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{source.root}{source.name}, line {number}: no JSON: {error}") from error
    if isinstance(row, str):
        return {"key": row}
    if not isinstance(row, dict):
        raise UsageError(f"{source.root}{source.name}, line {number}: no JSON object: {line[:80]}")
    return row


def _item(row: Mapping[str, Any], number: int, source: Source) -> Listed:
    name = next((row[field] for field in _KEY_FIELDS if row.get(field)), None)
    if not isinstance(name, str):
        raise UsageError(
            f"{source.root}{source.name}, line {number}: no item is named",
            hint=f"give each line one of the fields {', '.join(_KEY_FIELDS)}",
        )
    size = row.get("size")
    try:
        size = None if size in (None, "") else int(size)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{source.root}{source.name}, line {number}: size {size!r} is no whole number"
        ) from error
    elsewhere = name.startswith("/") or urlsplit(name).scheme in {"file", "s3"}
    return Listed(
        name,
        {"line": number},
        uri=name if elsewhere else None,
        size=size,
        etag=row.get("etag") or None,
    )
