import io
import tarfile
import zipfile
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
    assert "no tar or zip archive" in str(refusal(data, into))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_tar_that_was_cut_short(into: Path, mode: str) -> None:
    data = tar_of({"m/weights": bytes(range(256)) * 400}, mode)
    assert "cannot be unpacked" in str(refusal(data[: len(data) // 2], into))


def test_a_zip_that_was_cut_short(into: Path) -> None:
    data = zip_of(FILES)
    assert "only a part" in str(refusal(data[: len(data) // 2], into))


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
