"""Object keys: output keys made from source keys, and keys as text."""

import re
from hashlib import sha256

from core.errors import BadInputError

SEGMENT_BYTES = 180
"""Length of an encoded segment without marker and suffix; file systems stop at 255."""

KEY_BYTES = 900
"""Length of a whole encoded key; S3 stops at 1024, and a job's prefix needs room."""

_FIRST_SUFFIXES = (".jpg", ".png", ".mp4", ".parquet", ".json", ".html")
OUTPUT_SUFFIXES = (*_FIRST_SUFFIXES, ".webp")
"""The suffixes of output files; no directory beside such files ends in them."""

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_UPPERCASE = re.compile(rb"[A-Z]")
_UNDECODABLE = re.compile("[\udc80-\udcff\ufffd]")
_ESCAPED = re.compile("\ufffd(\ufffd|[0-9a-f]{2})")


def key_bytes(key: str) -> bytes:
    """Return the bytes of a key in its store: UTF-8, undecodable bytes as in `os.fsdecode`.

    Raises:
        BadInputError: `bad_key` if no sequence of bytes decodes to this key.
    """
    try:
        data = key.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise BadInputError("bad_key", f"{key!r} is not text: {error.reason}") from error
    if data.decode("utf-8", "surrogateescape") != key:
        raise BadInputError("bad_key", f"{key!r} has a second spelling of the same bytes")
    return data


def encode_key(key: str, suffix: str) -> str:
    """Return the relative object key of an output that is made from a source key.

    Two source keys never share an output key, not even on stores that ignore case, and no
    output's name is another's directory. The full source name is kept (`a.png` becomes
    `a.png.jpg`). Only `[A-Za-z0-9._/-]`, `%` and `~` occur; every segment remains
    a plain name, so that the result can't leave the directory it is put in. In detail:

    - bytes outside `[A-Za-z0-9._-]` are percent-encoded; so are the dots of `.` and `..` and the
      dot of a directory's output suffix (`x.jpg/a` becomes `x%2Ejpg/a.jpg`); an empty segment is
      a lone `%`;
    - an over-long segment is cut and ends in `~` and 32 hex digits of its SHA-256;
    - directories that make a key over-long become one, `~` and 32 hex digits of their SHA-256;
    - a key with an upper-case ASCII letter gets `~` and 12 hex digits of its SHA-256 before the
      suffix. (Hex digits of percent-encoding are upper case and need no such care: they depend
      on the bytes alone.)

    Args:
        key: What a store listed.
        suffix: One of `OUTPUT_SUFFIXES`.

    Raises:
        BadInputError: `bad_key` if no sequence of bytes decodes to this key.
    """
    if suffix not in OUTPUT_SUFFIXES:
        raise ValueError(f"{suffix!r} is not an output suffix: {', '.join(OUTPUT_SUFFIXES)}")
    source = key_bytes(key)
    *directories, name = source.split(b"/")
    marker = f"~{_digest(source, 12)}" if _UPPERCASE.search(source) else ""
    file = f"{_cut(_encode_segment(name), name)}{marker}{suffix}"
    # The suffixes that came later count beside their own files only: keys stay what they were.
    reserved = (*_FIRST_SUFFIXES, suffix)
    encoded = [_cut(_encode_directory(segment, reserved), segment) for segment in directories]
    if len("/".join([*encoded, file])) > KEY_BYTES:
        encoded = _shorten(encoded, b"/".join(directories), KEY_BYTES - len(file) - 1)
    return "/".join([*encoded, file])


def key_to_text(key: str) -> str:
    """Return a key as text that is valid Unicode, for columns and documents.

    Nearly every key is returned unchanged. An undecodable byte (a lone surrogate in the key, see
    `os.fsdecode`) becomes U+FFFD and two hex digits, and U+FFFD itself is doubled.
    `text_to_key` is the inverse.

    Raises:
        BadInputError: `bad_key` if the key has other surrogates: no store lists such a key.
    """
    if key.isascii():
        return key
    text = _UNDECODABLE.sub(_escape, key)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInputError("bad_key", f"{key!r} is not text: {error.reason}") from error
    return text


def text_to_key(text: str) -> str:
    """Return the key that `key_to_text` made this text from."""
    return text if "\ufffd" not in text else _ESCAPED.sub(_unescape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return "\ufffd\ufffd" if code == 0xFFFD else f"\ufffd{code - 0xDC00:02x}"  # noqa: PLR2004


def _unescape(match: re.Match[str]) -> str:
    return "\ufffd" if match[1] == "\ufffd" else chr(0xDC00 + int(match[1], 16))


def _digest(data: bytes, digits: int) -> str:
    return sha256(data).hexdigest()[:digits]


def _encode_segment(segment: bytes) -> str:
    if not segment:
        return "%"
    if segment in {b".", b".."}:
        return "%2E" * len(segment)
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in segment)


def _encode_directory(segment: bytes, reserved: tuple[str, ...]) -> str:
    encoded = _encode_segment(segment)
    if encoded.lower().endswith(reserved):
        stem, _, suffix = encoded.rpartition(".")
        return f"{stem}%2E{suffix}"
    return encoded


def _cut(encoded: str, segment: bytes) -> str:
    if len(encoded) <= SEGMENT_BYTES:
        return encoded
    kept = encoded[: SEGMENT_BYTES - 33]
    percent = kept.rfind("%", -2)
    return f"{kept if percent < 0 else kept[:percent]}~{_digest(segment, 32)}"


def _shorten(encoded: list[str], directories: bytes, room: int) -> list[str]:
    """Return as many leading directories as fit into `room` beside the digest of the rest."""
    kept: list[str] = []
    room -= 33
    for segment in encoded:
        room -= len(segment) + 1
        if room < 0:
            break
        kept.append(segment)
    return [*kept, f"~{_digest(directories, 32)}"]
