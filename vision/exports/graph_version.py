"""Tells which Paddle wrote a graph, as far as its file says."""

import json
import re
from pathlib import Path

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_VERSION_FIELD = 4  # of ProgramDesc in Paddle's framework.proto; field 1 of it is the number
_PIR_HEAD = re.compile(rb'\s*\{\s*"base_code"\s*:\s*(\{[^{}]*\})')
_HEAD_BYTES = 4096
_LONGEST_VARINT = 70  # bits, of which 64 count

LARGEST_GRAPH = 512 << 20
"""A graph holds operators, not weights; the largest known ones take a few MB."""


def graph_version(model_file: Path) -> str | None:
    """Return the version stated in a graph's file, for people to read; None if there is none.

    A `.pdmodel` holds the version of the Paddle that wrote it, 2006002 for 2.6.2; a `.json` only
    that of the graph format.
    """
    if model_file.suffix == ".json":
        with model_file.open("rb") as file:
            return _of_pir(file.read(_HEAD_BYTES))
    if model_file.stat().st_size > LARGEST_GRAPH:
        return None
    try:
        number = _of_program(model_file.read_bytes())
    except (IndexError, ValueError):  # cut short, or not protobuf
        return None
    if not number:
        return None
    return f"Paddle {number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"


def _of_pir(head: bytes) -> str | None:
    found = _PIR_HEAD.match(head)
    try:
        version = json.loads(found[1]).get("version") if found else None
    except (ValueError, RecursionError):
        return None
    return f"PIR {version}" if isinstance(version, int | str) else None


def _of_program(data: bytes) -> int | None:
    """Return the version number in a serialized ProgramDesc, skipping its blocks."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        field, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _, at = _varint(data, at)
        elif kind == _BYTES:
            length, at = _varint(data, at)
            if field == _VERSION_FIELD:
                return _varint(data, at + 1)[0] if length > 1 else None
            at += length
        elif kind in {_FIXED64, _FIXED32}:
            at += 8 if kind == _FIXED64 else 4
        else:
            return None
    return None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a varint (seven bits a byte, lowest first) and the position after it."""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if shift > _LONGEST_VARINT:
            raise ValueError("a varint of more than 64 bits")
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            return number, at
