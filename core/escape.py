"""Escapes text from data that could hide, reorder or forge what people see."""

import re
import unicodedata

# Control characters, what reorders or hides text (bidirectional overrides, zero widths), line
# separators, and what cannot be encoded at all.
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SUSPECT = re.compile(r"[^\x20-\x7e]")  # nearly all text has none of these, and costs little


def printable(text: str) -> str:
    r"""Return text with every character that should not be shown escaped (`\n`, `\x1b`, `\u202e`).

    Those are control characters, what reorders or hides text (bidirectional overrides, zero
    widths), line separators, unusual blanks, and what cannot be encoded at all. HTML is
    not escaped.
    """
    return _SUSPECT.sub(_escape, text)


def storable(text: str) -> str:
    r"""Return text in which lone surrogates, which cannot be encoded, are escaped (`\udc80`)."""
    return text.encode(errors="backslashreplace").decode()


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return character if character.isprintable() else repr(character)[1:-1]


def printable_json(text: str) -> str:
    r"""Return the same JSON with such characters written as `\uXXXX`, safe to look at."""
    return _SUSPECT.sub(_escape_json, text)


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in _UNSAFE_CATEGORIES


def _escape_json(match: re.Match[str]) -> str:
    character = match[0]
    if character == "\n" or not _is_unsafe(character):
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
