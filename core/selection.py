"""Which listed objects become items: of which sources, include, exclude, size, age, limit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from core.codec import checked_keys, to_plain
from core.formats import IMAGE_SUFFIXES, suffix_of
from core.option import IS_LATER, Kind, option
from core.passed_over import EXCLUDED, NOT_INCLUDED, TOO_LARGE, TOO_OLD, TOO_SMALL

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".ts", ".mpg"})


def media_kind(key: str) -> str | None:
    """Return `image` or `video` by the key's suffix, or None for anything else."""
    suffix = suffix_of(key)
    if suffix in IMAGE_SUFFIXES:
        return "image"
    return "video" if suffix in VIDEO_SUFFIXES else None


@dataclass(frozen=True, slots=True)
class Selection:
    """Filters over a listing.

    Patterns are shell globs over the whole key, in which `*` crosses `/`; a pattern without a slash
    also matches the key's last part. Sizes are bytes, `since` is seconds since the epoch.
    `allow_empty` lets a job succeed that has nothing to do. `sources` are those of a job over
    several, with their names (`core.sources`). `since_job` is the id of a job whose results stand
    for items that are the same. Versions that know neither leave such jobs alone.
    """

    include: tuple[str, ...] = option(
        "include", (), "Only keys that match this pattern.", is_repeated=True, metavar="GLOB"
    )
    exclude: tuple[str, ...] = option(
        "exclude", (), "No keys that match this pattern.", is_repeated=True, metavar="GLOB"
    )
    min_size: int | None = option(
        "min-size", None, "Only files of at least this size (10kB).", kind=Kind.SIZE, least=0
    )
    max_size: int | None = option(
        "max-size", None, "Only files of at most this size (20MB).", kind=Kind.SIZE, least=0
    )
    since: float | None = option(
        "since", None, "Only files changed since (2026-01-31, 36h, 7d).", kind=Kind.SINCE
    )
    limit: int | None = option("limit", None, "At most this many items.", kind=Kind.WHOLE, least=1)
    hidden: bool = option(
        "hidden",
        False,
        "Also files and folders whose names begin with a dot.",
        kind=Kind.SWITCH,
        is_later=True,
    )
    allow_empty: bool = option(
        "allow-empty",
        False,
        "Succeed even if there is nothing to do.",
        kind=Kind.SWITCH,
        is_later=True,
    )
    sources: tuple[tuple[str, str], ...] = field(default=(), metadata={IS_LATER: True})
    since_job: str | None = field(default=None, metadata={IS_LATER: True})

    def passes_over(self, key: str, *, size: int | None, modified: float | None) -> str | None:
        """Return why an object is not an item of the job, or None if it is one.

        What the listing does not know (the size or time of a bare name) is not held against it.
        """
        if self.include and not any(_matches(key, p) for p in self.include):
            return NOT_INCLUDED
        if self.exclude and self.excludes(key):
            return EXCLUDED
        if size is not None and self.min_size is not None and size < self.min_size:
            return TOO_SMALL
        if size is not None and self.max_size is not None and size > self.max_size:
            return TOO_LARGE
        if modified is not None and self.since is not None and modified < self.since:
            return TOO_OLD
        return None

    def excludes(self, key: str) -> bool:
        """Return whether a pattern keeps a key out."""
        return any(_matches(key, pattern) for pattern in self.exclude)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for the job's row."""
        return to_plain(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Selection":
        """Read what `to_json` wrote.

        Raises:
            NewerError: a newer version wrote it.
        """
        values = checked_keys(data, "selection", cls)
        lists = {name: tuple(values.get(name, ())) for name in ("include", "exclude")}
        sources = tuple((name, source) for name, source in values.get("sources", ()))
        return cls(**{**values, **lists, "sources": sources})


def _matches(key: str, pattern: str) -> bool:
    name = key if "/" in pattern else key.rpartition("/")[2]
    return fnmatchcase(name, pattern)
