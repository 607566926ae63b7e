"""JSON documents that are written in pieces."""

import json
import shutil
from collections.abc import Iterable
from typing import Any, BinaryIO

from annotations.target import Target


def text_of(value: Any) -> str:
    """Return a value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False)


class Records:
    """A list of a JSON document, a record a line, that is kept in a file until it is written."""

    def __init__(self, target: Target) -> None:
        self._file = target.scratch()
        self._is_empty = True

    def add(self, records: Iterable[str]) -> None:
        """Add records: JSON without line breaks."""
        lines = ",\n".join(records)
        if lines:
            self._file.write((lines if self._is_empty else ",\n" + lines).encode())
            self._is_empty = False

    def write_to(self, file: BinaryIO) -> None:
        """Write the whole list."""
        self._file.seek(0)
        file.write(b"[\n")
        shutil.copyfileobj(self._file, file, 1 << 20)
        file.write(b"\n]")


def write_document(file: BinaryIO, members: dict[str, Any]) -> None:
    """Write an object: members that are `Records` piece by piece, others as they are."""
    for place, (name, value) in enumerate(members.items()):
        file.write(("{" if place == 0 else ",\n").encode() + text_of(name).encode() + b": ")
        if isinstance(value, Records):
            value.write_to(file)
        else:
            file.write(text_of(value).encode())
    file.write(b"}\n")
