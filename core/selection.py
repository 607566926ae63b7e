"""Which listed objects become items: include, exclude, size, age, limit."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from core.codec import checked_keys, to_plain
from core.formats import IMAGE_SUFFIXES, suffix_of
from core.option import Kind, option

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

    def passes_over(self, key: str, *, size: int | None, modified: float | None) -> str | None:
        """Return why an object is not an item of the job, or None if it is one.

        What the listing does not know (the size or time of a bare name) is not held against it.
        """
        if self.include and not any(_matches(key, p) for p in self.include):
            return "not included"
        if any(_matches(key, p) for p in self.exclude):
            return "excluded"
        if size is not None and self.min_size is not None and size < self.min_size:
            return "smaller than --min-size"
        if size is not None and self.max_size is not None and size > self.max_size:
            return "larger than --max-size"
        if modified is not None and self.since is not None and modified < self.since:
            return "older than --since"
        return None

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
        return cls(**{**values, **lists})


def _matches(key: str, pattern: str) -> bool:
    name = key if "/" in pattern else key.rpartition("/")[2]
    return fnmatchcase(name, pattern)
