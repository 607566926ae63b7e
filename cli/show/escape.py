"""Keeps what comes from data from steering the terminal."""

import re
import unicodedata

from core.escape import printable

__all__ = ["printable", "printable_json"]

# Control characters, what reorders or hides text (bidirectional overrides, zero widths), line
# separators, and what cannot be encoded at all.
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SUSPECT = re.compile(r"[^\x20-\x7e]")


def printable_json(text: str) -> str:
    r"""Return JSON with such characters written as `\uXXXX`: the same JSON, harmless to look at."""
    return _SUSPECT.sub(_escape_json, text)


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in _UNSAFE_CATEGORIES


def _escape_json(match: re.Match[str]) -> str:
    character = match[0]
    if character == "\n" or not _is_unsafe(character):
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
