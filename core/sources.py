"""How a dataset is named: a folder, a glob, one file, a list of items, or several of these.

The items of a job's only source have the keys that the source gives them. Of several sources each
has a name, the last segment of its path, and `-2`, `-3` ... where that is taken; the keys of its
items begin with it: `photos/a.jpg`. An image that is a source by itself has its name as its key.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from core.errors import UsageError


class SourceKind(StrEnum):
    """How the items of a source are found."""

    FOLDER = "folder"
    GLOB = "glob"
    FILE = "file"
    LINES = "lines"  # a text file, one key, path or URL per line
    JSONL = "jsonl"  # an object per line
    CSV = "csv"  # with a header

    @property
    def is_manifest(self) -> bool:
        """Whether the items are named by a file instead of a listing."""
        return self in {SourceKind.LINES, SourceKind.JSONL, SourceKind.CSV}


_MANIFESTS = {
    ".txt": SourceKind.LINES,
    ".lst": SourceKind.LINES,
    ".jsonl": SourceKind.JSONL,
    ".ndjson": SourceKind.JSONL,
    ".csv": SourceKind.CSV,
}
_GLOB = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset: `root` is a store's URL, keys of items are relative to it.

    `name` is the glob's pattern, the file or the manifest, under `root`; empty for a folder.
    `prefix` is what the keys of its items begin with, or, of a file, are; empty for a job's only
    source.
    """

    kind: SourceKind
    root: str
    name: str = ""
    prefix: str = ""

    def item_key(self, key: str) -> str:
        """Return the key in the job of what has this key in the source."""
        if not self.prefix:
            return key
        return self.prefix if self.kind is SourceKind.FILE else f"{self.prefix}/{key}"


def parse_source(text: str) -> Source:
    """Read a source as people write it.

    A trailing slash always means a folder; `*`, `?` or `[` make a glob; the suffixes .txt,
    .lst, .jsonl, .ndjson and .csv a list of items; anything else with a suffix is one file.

    Raises:
        UsageError: the text is empty or not a path.
    """
    if not text or "\0" in text:
        raise UsageError("the source is empty", hint="name a folder, a glob or a list of items")
    if text.endswith("/"):
        return Source(SourceKind.FOLDER, text)
    first = min((text.find(c) for c in _GLOB if c in text), default=-1)
    cut = text.rfind("/", 0, first if first >= 0 else len(text)) + 1
    root, name = text[:cut] or "./", text[cut:]
    if first >= 0:
        return Source(SourceKind.GLOB, root, name)
    suffix = name[name.rfind(".") :].lower() if "." in name[1:] else ""
    if not suffix:
        return Source(SourceKind.FOLDER, text + "/")
    return Source(_MANIFESTS.get(suffix, SourceKind.FILE), root, name)


def sources_by_prefix(source: str, several: Iterable[tuple[str, str]]) -> dict[str, Source]:
    """Return a job's sources by their prefixes: `several` with their names, or its only one."""
    named = {name: replace(parse_source(text), prefix=name) for name, text in several}
    return named or {"": parse_source(source)}


def place_in(sources: Mapping[str, Source], key: str) -> tuple[str, str]:
    """Return the root of the store that holds a job's item, and the item's key there."""
    if (only := sources.get("")) is not None:
        return only.root, key
    prefix, _, rest = key.partition("/")
    source = sources[prefix]
    return source.root, source.name if source.kind is SourceKind.FILE else rest


def named(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return several sources with names that no two of them share, in the order given."""
    by_name: dict[str, str] = {}
    for text in texts:
        source = parse_source(text)
        is_folder = source.kind in {SourceKind.FOLDER, SourceKind.GLOB}
        name = source.root.rstrip("/").rpartition("/")[2] if is_folder else source.name
        dot = -1 if is_folder else name.rfind(".")
        stem, suffix = (name or "root", "") if dot <= 0 else (name[:dot], name[dot:])
        free, number = f"{stem}{suffix}", 1
        while free in by_name:
            number += 1
            free = f"{stem}-{number}{suffix}"
        by_name[free] = text
    return tuple(by_name.items())
