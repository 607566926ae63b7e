"""How a dataset is named: a folder, a glob, one file, or a list of items."""

from dataclasses import dataclass
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
    """

    kind: SourceKind
    root: str
    name: str = ""


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
