"""Finds a model's licence, if its directory states one."""

import re
from pathlib import Path

from vision.exports.bounded_yaml import parse_yaml

_README = ("README.md", "README.txt", "README")
_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "COPYING")
_HEAD = 4000  # characters of a file that are looked at
_FRONT = re.compile(r"\A---\s*\n(.*?)\n---\s*$", re.DOTALL | re.MULTILINE)
_LONGEST = 80

# How the texts of well-known licences begin, by SPDX name.
_KNOWN = {
    "Apache-2.0": r"Apache License\s+Version 2\.0",
    "AGPL-3.0": r"GNU AFFERO GENERAL PUBLIC LICENSE\s+Version 3",
    "GPL-3.0": r"GNU GENERAL PUBLIC LICENSE\s+Version 3",
    "LGPL-3.0": r"GNU LESSER GENERAL PUBLIC LICENSE\s+Version 3",
    "MIT": r"MIT License|Permission is hereby granted, free of charge",
    "BSD-3-Clause": r"BSD 3-Clause",
}


def stated_licence(directory: Path) -> str | None:
    """Return the licence in the front matter of a directory's README, or else its LICENSE file's.

    A LICENSE with an unknown text is given by its first line. None means that nothing is stated,
    not that everything is allowed.
    """
    stated = [
        *map(_of_readme, _heads(directory, _README)),
        *map(_of_text, _heads(directory, _FILES)),
    ]
    return next((text.strip()[:_LONGEST] for text in stated if text and text.strip()), None)


def _heads(directory: Path, names: tuple[str, ...]) -> list[str]:
    found = [directory / name for name in names if (directory / name).is_file()]
    return [_head(path) for path in found]


def _head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_HEAD).decode("utf-8", "replace")


def _of_readme(text: str) -> str | None:
    front = _FRONT.match(text)
    try:
        values = parse_yaml(front[1]) if front else None
    except ValueError:
        return None
    stated = values.get("license") if isinstance(values, dict) else None
    return stated if isinstance(stated, str) else None


def _of_text(text: str) -> str | None:
    for name, beginning in _KNOWN.items():
        if re.search(beginning, text, re.IGNORECASE):
            return name
    return next((line.strip() for line in text.splitlines() if line.strip()), None)
