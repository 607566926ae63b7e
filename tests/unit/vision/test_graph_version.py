from pathlib import Path

import pytest

from vision.exports.graph_version import graph_version


def varint(number: int) -> bytes:
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def program(number: int | None, blocks: int = 2) -> bytes:
    """A ProgramDesc: blocks (field 1), then Version (field 4) with its number (field 1)."""
    data = (b"\x0a" + varint(300) + b"\x22" * 300) * blocks
    if number is not None:
        version = b"\x08" + varint(number)
        data += b"\x22" + varint(len(version)) + version
    return data + b"\x2a\x02ab"


@pytest.mark.parametrize(
    ("data", "version"),
    [
        (b"", None),
        (program(2_006_002), "Paddle 2.6.2"),
        (program(2_000_000, blocks=0), "Paddle 2.0.0"),
        (program(3_000_001), "Paddle 3.0.1"),
        (program(0), None),  # a build from the middle of development
        (program(None), None),
        (b"\x22\x00", None),
        (program(2_006_002)[:400], None),
        (b"no protobuf at all", None),
    ],
)
def test_of_programs(tmp_path: Path, data: bytes, version: str | None) -> None:
    file = tmp_path / "model.pdmodel"
    file.write_bytes(data)
    assert graph_version(file) == version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("", None),
        ("{}", None),
        ('{"base_code":{"magic":"pir","trainable":true,"version":1},"program":{', "PIR 1"),
        ('\n{ "base_code" : {"version" : 3} }', "PIR 3"),
        ('{"base_code":{"magic":"pir"}}', None),
    ],
)
def test_of_pir(tmp_path: Path, text: str, version: str | None) -> None:
    file = tmp_path / "model.json"
    file.write_text(text)
    assert graph_version(file) == version
