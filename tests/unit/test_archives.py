import gzip
import io
import lzma
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import UsageError
from registry import archives
from registry.archives import unpack
from tests.web import files_in, tar_of, zip_of

FILES = {"m/infer_cfg.yml": b"arch: YOLO", "m/deep/model.json": b"{}", "top": b"\0" * 70_000}


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into" / "here"
    folder.mkdir(parents=True)
    return folder


def unpacked(data: bytes, into: Path) -> dict[str, bytes]:
    archive = into.parents[1] / "archive"
    archive.write_bytes(data)
    unpack(archive, into, name="boats.tar")
    return files_in(into)


def refusal(data: bytes, into: Path) -> UsageError:
    with pytest.raises(UsageError, match=r"boats\.tar") as caught:
        unpacked(data, into)
    assert caught.value.hint
    assert list(files_in(into.parents[1])) == ["archive", *files_in(into, "into/here/")]
    return caught.value


def test_an_archive_of_nothing(into: Path) -> None:
    assert unpacked(tar_of({}), into) == {}
    assert unpacked(zip_of({}), into) == {}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar(into: Path, mode: str) -> None:
    assert unpacked(tar_of(FILES, mode), into) == FILES


def test_zip(into: Path) -> None:
    assert unpacked(zip_of(FILES), into) == FILES


@pytest.mark.parametrize("name", ["../out", "m/../../out", "/out"])
def test_names_that_lead_out(into: Path, name: str) -> None:
    files = {"m/first": b"1", name: b"evil"}
    if not name.startswith("/"):  # tar's own way with these is to take the slash away
        assert "refused" in str(refusal(tar_of(files), into))
    assert "leads out" in str(refusal(zip_of(files), into))


def test_a_windows_path_in_a_zip(into: Path) -> None:
    assert "leads out" in str(refusal(zip_of({"..\\..\\out": b"evil"}), into))


def test_an_absolute_name_in_a_tar_stays_inside(into: Path) -> None:
    found = unpacked(tar_of({"/somewhere/model.json": b"{}"}), into)
    assert found == {"somewhere/model.json": b"{}"}


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices(into: Path, kind: bytes) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo("m/model.json")
        member.type, member.linkname = kind, "../../../etc/passwd"
        tar.addfile(member)
    assert "a link or a device" in str(refusal(packed.getvalue(), into))


def test_a_link_in_a_zip_is_a_file_with_its_target_as_text(into: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        info = zipfile.ZipInfo("m/model.json")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    assert unpacked(packed.getvalue(), into) == {"m/model.json": b"/etc/passwd"}
    assert not (into / "m" / "model.json").is_symlink()


@pytest.mark.parametrize("data", [b"", b"<html>no archive</html>", b"PK"])
def test_what_is_no_archive(into: Path, data: bytes) -> None:
    assert "not a tar or zip archive" in str(refusal(data, into))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_tar_that_was_cut_short(into: Path, mode: str) -> None:
    data = tar_of({"m/weights": bytes(range(256)) * 400}, mode)
    assert "cannot be unpacked" in str(refusal(data[: len(data) // 2], into))


def test_a_zip_that_was_cut_short(into: Path) -> None:
    data = zip_of(FILES)
    assert "only part" in str(refusal(data[: len(data) // 2], into))


def test_a_zip_with_a_flipped_byte(into: Path) -> None:
    data = bytearray(zip_of({"weights": b"a" * 1000}))
    data[500] ^= 1
    assert "cannot be unpacked" in str(refusal(bytes(data), into))


@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_bombs(into: Path, monkeypatch: pytest.MonkeyPatch, pack: object) -> None:
    assert callable(pack)
    monkeypatch.setattr(archives, "MOST_FILES", 2)
    assert "more than 2 files" in str(refusal(pack({"a": b"", "b": b"", "c": b""}), into))
    monkeypatch.setattr(archives, "LARGEST_BYTES", 99)
    assert "99 bytes" in str(refusal(pack({"a": b"x" * 50, "b": b"x" * 50}), into))


def header(kind: bytes, size: int) -> bytes:
    """A tar header of this type that states a size."""
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


LENGTH = 256 << 20


@pytest.mark.parametrize(
    "kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE]
)
@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
def test_a_header_that_states_more_than_headers_have(
    into: Path, kind: bytes, compress: Callable[[bytes], bytes]
) -> None:
    data = compress(header(kind, LENGTH) + bytes(1 << 20))
    tracemalloc.start()
    said = str(refusal(data, into))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "states a length that no header has" in said
    assert peak < 16 << 20


def test_a_chain_of_headers(into: Path) -> None:
    assert "cannot be unpacked" in str(refusal(header(tarfile.XHDTYPE, 0) * 3000, into))


def test_a_sparse_file_and_its_endless_map(into: Path) -> None:
    fields = {"major": "1", "minor": "0", "name": "f", "realsize": "9"}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("f")
        member.size = 4 << 20
        member.pax_headers = {f"GNU.sparse.{name}": value for name, value in fields.items()}
        tar.addfile(member, io.BytesIO(b"100000000\n" + b"1\n" * (2 << 20)))
    assert "states a length that no header has" in str(refusal(packed.getvalue(), into))


def test_a_long_name_of_an_ordinary_length(into: Path) -> None:
    files = {f"{'d' * 90}/{'e' * 90}/{'f' * 90}": b"1"}
    assert unpacked(tar_of(files), into) == files


def test_a_zip_with_a_directory_that_no_export_has(into: Path) -> None:
    files = {f"{number:05d}{'n' * 200}": b"" for number in range(20_000)}
    assert "states a length" in str(refusal(zip_of(files), into))


def test_an_archive_that_unpacks_to_far_more(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_SMALL_BYTES", 1 << 20)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("m/model.pdiparams", bytes(2 << 20))
    for data in (packed.getvalue(), tar_of({"m/model.pdiparams": bytes(2 << 20)}, "w:gz")):
        assert "more than 200 times its size" in str(refusal(data, into))


def test_an_xz_that_wants_much_memory(into: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 512 << 20}]
    data = lzma.compress(tar_of(FILES), filters=filters)
    assert "memory" in str(refusal(data, into)).lower()
