"""What pictures are called in an export."""

import re
from hashlib import sha256

from core.keys import key_bytes, key_to_text

_SEGMENT_BYTES = 200  # of a file's name: file systems stop at 255, and suffixes need room
_BESIDE = (".txt", ".xml", ".png")  # what formats call the file beside a picture
# Control characters, line separators, and what file systems or lists of files do not take.
_UNFIT = re.compile("[\x00-\x1f\x7f\\\\%\x85\u2028\u2029\udc80-\udcff]")


class Names:
    """Gives pictures the names that they have in an export, no two the same.

    They are those of the items, folders included, with what is no text, breaks lines or leads out
    of a folder percent-encoded. With `by_stem`, names differ by more than their suffixes, so that
    each can have a text file of its own: beside `a/x.jpg`, `a/x.png` becomes `a/x_png.png`. With
    `as_items`, pictures stay where they are, and are called what their items are. No folder is
    called `reserved`. A bucket may have both `a` and `a/b`: then the later one's `a` gets a `_`.
    """

    def __init__(self, *, by_stem: bool, as_items: bool = False, reserved: str = "") -> None:
        self._by_stem = by_stem
        self._as_items = as_items
        self._reserved = reserved
        # Of 64-bit hashes: the names would take much more room.
        self._taken: set[int] = set()
        self._folders: set[int] = set()

    def name_of(self, key: str, frame: int | None = None) -> str:
        """Return the name of the picture of an item, or of one of its frames, a relative path."""
        if self._as_items and frame is None:
            return key_to_text(key)
        inside, slash, file = safe_path(key).rpartition("/")
        folder = self._folder(inside) + slash
        stem, suffix = split_suffix(file)
        if frame is not None:
            stem = f"{stem}_{frame:06d}"
        kind, number = suffix.removeprefix("."), 1
        while not self._take(folder + stem, suffix):
            stem = f"{stem}_{kind}" if kind else f"{stem}_{number}"
            kind, number = "", number + 1
        return folder + stem + suffix

    def _folder(self, wanted: str) -> str:
        """Return the name of a folder: no file is called that."""
        found = ""
        for segment in wanted.split("/") if wanted else ():
            name = f"{segment}_" if segment == self._reserved else segment
            found = f"{found}/{name}" if found else name
            while _hash(found) not in self._folders and self._is_file(found):
                found += "_"
            self._folders.add(_hash(found))
        return found

    def _is_file(self, name: str) -> bool:
        """Return whether a picture, or the text file of one, may have this name."""
        if not self._by_stem:
            return _hash(name) in self._taken
        stem, suffix = without_suffix(name), name.rpartition(".")[2]
        return stem != name and not suffix.endswith("_") and _hash(stem) in self._taken

    def _take(self, stem: str, suffix: str) -> bool:
        """Take a name; False if it is taken."""
        code = _hash(stem if self._by_stem else stem + suffix)
        suffixes = {suffix, *_BESIDE} if self._by_stem else {suffix}
        is_folder = any(_hash(stem + one) in self._folders for one in suffixes)
        if code in self._taken or is_folder:
            return False
        self._taken.add(code)
        return True


def _hash(name: str) -> int:
    return int.from_bytes(sha256(name.encode()).digest()[:8])


def safe_path(key: str) -> str:
    """Return a key as a relative path of plain names that stays in its folder.

    What is plain stays as it is; different keys have different paths.
    """
    return "/".join(_safe_segment(segment) for segment in key.split("/"))


def split_suffix(file: str) -> tuple[str, str]:
    """Return a file's name before its suffix, and the suffix with its dot."""
    dot = file.rfind(".")
    return (file, "") if dot <= 0 else (file[:dot], file[dot:])


def without_suffix(name: str) -> str:
    """Return a path without its file's suffix."""
    folder, slash, file = name.rpartition("/")
    return folder + slash + split_suffix(file)[0]


def _safe_segment(segment: str) -> str:
    if segment in {"", ".", ".."}:
        return "%2E" * len(segment) or "%"
    safe = _UNFIT.sub(_encoded, segment)
    if len(safe.encode()) <= _SEGMENT_BYTES:
        return safe
    stem, suffix = split_suffix(safe)
    suffix = suffix if len(suffix.encode()) <= _SEGMENT_BYTES // 8 else ""
    kept = stem.encode()[: _SEGMENT_BYTES - 40].decode(errors="ignore")
    return f"{kept}~{sha256(key_bytes(segment)).hexdigest()[:32]}{suffix}"


def _encoded(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogateescape"))
