"""Names and files that nobody should have: each is processed, or quarantined with a reason."""

import os
import struct
import zlib
from pathlib import Path

from core.keys import key_to_text
from tests.acceptance.fleet import Fleet
from tests.acceptance.outcome import outcome
from tests.acceptance.pictures import encoded, picture

PICTURE = encoded(picture(1), ".jpg")
PNG = encoded(picture(2), ".png")

NAMES = [
    b"with space.jpg",
    b" leading and trailing .jpg",
    b"single'quote.jpg",
    b'double"quote.jpg',
    b"back`tick$(true);&|<>.jpg",
    b"back\\slash.jpg",
    b"new\nline.jpg",
    b"tab\tand\x1bescape.jpg",
    b"100%.jpg",
    b"percent%2Fencoded%00.jpg",
    "Zürich 東京 🚣.jpg".encode(),
    "e\u0301 decomposed.jpg".encode(),
    "\u00e9 composed.jpg".encode(),
    "\u202eright to left.jpg".encode(),
    b"latin-1 \xe9\xff.jpg",
    b"UPPER.jpg",
    b"upper.jpg",
    b"Upper.JPG",
    b"same.jpg",
    b"same.jpeg",
    b"same.png",
    b"-rf.jpg",
    b"..jpg",
    b"...jpg",
    b"~tilde~.jpg",
    b"con.jpg",
    b"<script>alert(1)</script>/[bold]x[/].jpg",
    b"a.jpg.dir/inner.jpg",
    b"x" * 251 + b".jpg",
    "東".encode() * 83 + b".jpg",
    b"/".join([b"deep" * 40] * 8) + b"/deep.jpg",
]


def test_any_file_name_is_processed(calm_fleet: Fleet, tmp_path: Path, model: Path) -> None:
    for name in NAMES:
        path = tmp_path / "data" / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)
    ended = outcome(calm_fleet, calm_fleet.submit(tmp_path / "data", model, hidden=True))
    assert ended.state == "succeeded", ended.reasons
    listed = [row["item"] for row in ended.rows]
    assert listed == [key_to_text(os.fsdecode(name)) for name in sorted(NAMES)]
    drawn = [row["annotated"] for row in ended.rows]
    assert set(drawn) == set(ended.pictures)
    # Not even where upper and lower case are the same do two pictures meet.
    assert len({key.lower() for key in drawn}) == len(NAMES)


def test_a_list_may_name_anything(calm_fleet: Fleet, tmp_path: Path, model: Path) -> None:
    source = tmp_path / "data" / "inside"
    source.mkdir(parents=True)
    (source / "good.jpg").write_bytes(PICTURE)
    (tmp_path / "data" / "outside.jpg").write_bytes(PICTURE)
    (source / "folder.jpg").mkdir()
    os.mkfifo(source / "pipe.jpg")
    lines: dict[bytes, str | None] = {
        b"good.jpg": None,
        b"../outside.jpg": "bad_key",
        b"./good.jpg": "bad_key",
        b"missing.jpg": "source_missing",
        b"folder.jpg": "source_missing",
        b"pipe.jpg": "source_missing",
        b"n" * 296 + b".jpg": "bad_key",
        b"d/" * 3000 + b".jpg": "bad_key",
        b"nul\0.jpg": "bad_key",
        b"latin-1 \xe9.jpg": "source_missing",
        os.fsencode(tmp_path / "data" / "outside.jpg"): None,
        b"file:///no/such/place.jpg": "source_missing",
    }
    (source / "list.txt").write_bytes(b"\n".join(lines))
    ended = outcome(calm_fleet, calm_fleet.submit(source / "list.txt", model))
    assert ended.state == "partial"
    assert [row["item"] for row in ended.rows] == [key_to_text(os.fsdecode(key)) for key in lines]
    assert ended.reasons == {
        key_to_text(os.fsdecode(key)): reason for key, reason in lines.items() if reason
    }
    assert not (tmp_path / "data" / "outside.jpg.jpg").exists()


def _huge_png() -> bytes:
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND")


def _chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _flip(data: bytes, where: int) -> bytes:
    return (
        data[:where] + bytes(255 - byte for byte in data[where : where + 16]) + data[where + 16 :]
    )


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty.jpg": (b"", "empty"),
    "text.jpg": (b"this is no picture\n" * 20, "not_an_image"),
    "page.png": (b"<!doctype html><title>404</title>", "not_an_image"),
    "first-bytes.jpg": (PICTURE[:20], "truncated"),
    "end-missing.jpg": (PICTURE[:-100], "truncated"),
    "half.png": (PNG[: len(PNG) // 2], "truncated"),
    "flipped.png": (_flip(PNG, len(PNG) // 2), "decode_failed"),
    "huge.png": (_huge_png(), "too_large"),
    "heavy.jpg": (PICTURE + bytes(1_000_001), "too_large"),
}


def test_broken_files_are_quarantined_with_their_reasons(
    calm_fleet: Fleet, tmp_path: Path, model: Path
) -> None:
    source = tmp_path / "data"
    source.mkdir()
    for name, (data, _) in BROKEN.items():
        (source / name).write_bytes(data)
    for name in ("good-1.jpg", "good-2.jpg"):
        (source / name).write_bytes(PICTURE)
    job = calm_fleet.submit(source, model)
    ended = outcome(calm_fleet, job)
    assert ended.state == "partial"
    assert ended.reasons == {name: reason for name, (_, reason) in BROKEN.items()}
    assert calm_fleet.tally(job).succeeded == 2
    assert set(ended.pictures) == {"annotated/good-1.jpg.jpg", "annotated/good-2.jpg.jpg"}
