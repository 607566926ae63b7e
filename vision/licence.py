"""Under which licence a model comes, if its directory says."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_README = ("README.md", "README.txt", "README")
_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "COPYING")
_HEAD = 4000  # characters of a file that are looked at
_FRONT = re.compile(r"\A---\s*\n(.*?)\n---\s*$", re.DOTALL | re.MULTILINE)
_LONGEST = 80

# What the texts of well-known licences begin with, by their SPDX names.
_KNOWN = {
    "Apache-2.0": r"Apache License\s+Version 2\.0",
    "AGPL-3.0": r"GNU AFFERO GENERAL PUBLIC LICENSE\s+Version 3",
    "GPL-3.0": r"GNU GENERAL PUBLIC LICENSE\s+Version 3",
    "LGPL-3.0": r"GNU LESSER GENERAL PUBLIC LICENSE\s+Version 3",
    "MIT": r"MIT License|Permission is hereby granted, free of charge",
    "BSD-3-Clause": r"BSD 3-Clause",
}


def stated_licence(directory: Path, config: Mapping[str, Any]) -> str | None:
    """What an export says of its licence: its YAML, its README's front matter, or a LICENSE file.

    The first that says something counts. A LICENSE of a text that is not known here is given by
    its first line; None means that nothing is said, not that everything is allowed.
    """
    section = config.get("Global")
    stated = section.get("license") if isinstance(section, dict) else None
    return (
        _short(stated)
        or _short(next(filter(None, map(_of_readme, _heads(directory, _README))), None))
        or _short(next(filter(None, map(_of_text, _heads(directory, _FILES))), None))
    )


def _heads(directory: Path, names: tuple[str, ...]) -> list[str]:
    found = [directory / name for name in names if (directory / name).is_file()]
    return [path.read_bytes()[:_HEAD].decode("utf-8", "replace") for path in found]


def _of_readme(text: str) -> str | None:
    front = _FRONT.match(text)
    try:
        values = yaml.safe_load(front[1]) if front else None
    except yaml.YAMLError:
        return None
    stated = values.get("license") if isinstance(values, dict) else None
    return stated if isinstance(stated, str) else None


def _of_text(text: str) -> str | None:
    for name, beginning in _KNOWN.items():
        if re.search(beginning, text, re.IGNORECASE):
            return name
    return next((line.strip() for line in text.splitlines() if line.strip()), None)


def _short(stated: object) -> str | None:
    return stated.strip()[:_LONGEST] if isinstance(stated, str) and stated.strip() else None
