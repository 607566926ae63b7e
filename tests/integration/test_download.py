import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from core.errors import UsageError
from registry.cache import incoming
from registry.download import download_model
from store.locations import open_store, use_s3
from store.s3.client import s3_client
from store.s3.options import S3Options
from tests.buckets.server import Server
from tests.integration.test_hub import FILES, serve
from tests.web import Page, Web, files_in, tar_of, zip_of
from tests.workshop import write_model
from vision.exports.export import export_digest


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_model(tmp_path / "exports" / "boats")
    (tmp_path / "exports" / "boats" / "LICENSE").write_text("Apache License\nVersion 2.0")
    return tmp_path / "exports" / "boats"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "home" / "models"


@pytest.fixture
def bucket(moto_server: Server) -> Iterator[str]:
    options = moto_server.options()
    name = f"bucket-{uuid4().hex}"
    s3_client(options).create_bucket(Bucket=name)
    use_s3(options)
    yield f"s3://{name}"
    use_s3(S3Options())


def fetch(source: object, models: Path, sha256: str | None = None) -> Path:
    return download_model(
        str(source), models, sha256=sha256, progress=lambda *_: None, shows_progress=False
    )


def refusal(source: object, models: Path, sha256: str | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        fetch(source, models, sha256)
    assert caught.value.hint
    if models.is_dir():
        assert list(models.iterdir()) == [], "nothing half stays behind"
    return caught.value


def archive(folder: Path, data: bytes, name: str = "boats_infer.tar") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def test_a_directory_of_this_machine_stays_where_it_is(model: Path, models: Path) -> None:
    assert fetch(model, models) == model
    assert fetch(f"file://{model}", models) == model
    assert not models.exists()


@pytest.mark.parametrize("below", ["", "boats_infer/", "a/b/boats/"])
def test_archives_of_this_machine(model: Path, models: Path, tmp_path: Path, below: str) -> None:
    files = files_in(model, below)
    digest = export_digest(model)
    for number, data in enumerate((tar_of(files, "w:gz"), zip_of(files))):
        place = fetch(archive(tmp_path / str(number), data), models)
        assert place.parent == models / digest
        assert place.name == (below.split("/")[-2] if below else "boats_infer")
        assert files_in(place) == files_in(model)
        assert [path.name for path in models.iterdir()] == [digest], "twice is no second copy"


def test_from_a_web_server(web: Web, model: Path, models: Path) -> None:
    data = tar_of(files_in(model, "boats_infer/"))
    web.pages["/paddle3.0.0/boats_infer.tar?sign=1"] = Page(data)
    url = f"{web.url}/paddle3.0.0/boats_infer.tar?sign=1"
    place = fetch(url, models, hashlib.sha256(data).hexdigest().upper())
    assert place == models / export_digest(model) / "boats_infer"
    web.pages["/archive.tar"] = Page(tar_of(files_in(model)))
    assert fetch(f"{web.url}/archive.tar", models / "other").name == "archive"
    before = place.stat().st_ino
    assert fetch(url, models).stat().st_ino == before


def test_from_a_bucket(bucket: str, model: Path, models: Path) -> None:
    open_store(bucket).put("m/boats.tgz", tar_of(files_in(model), "w:gz"))
    for name, content in files_in(model).items():
        open_store(bucket).put(f"m/v3/{name}", content)
    for source, name in ((f"{bucket}/m/boats.tgz", "boats"), (f"{bucket}/m/v3", "boats")):
        assert fetch(source, models) == models / export_digest(model) / name
    assert "nothing below" in str(refusal(f"{bucket}/none/", models / "other"))


def test_from_the_hub(web: Web, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", web.url)
    serve(web, revision="main")
    place = fetch("hf://boats/yolo@main", models)
    assert place == models / export_digest(place) / "yolo"
    assert set(files_in(place)) == set(FILES) - {"pytorch_model.safetensors"}
    other = models.parent / "other"
    assert "the model at hf://boats/yolo" in str(refusal("hf://boats/yolo@main", other, "0" * 64))


@pytest.mark.parametrize("digest", ["f" * 64, "sha256:" + "0" * 64])
def test_digests_that_do_not_match(
    web: Web, model: Path, models: Path, tmp_path: Path, digest: str
) -> None:
    data = tar_of(files_in(model))
    web.pages["/boats.tar"] = Page(data)
    error = refusal(f"{web.url}/boats.tar", models, digest)
    assert hashlib.sha256(data).hexdigest() in str(error)
    assert "another version" in (error.hint or "")
    assert "the archive" in str(refusal(archive(tmp_path, data), models, digest))
    assert export_digest(model) in str(refusal(model, models, digest))
    fetch(model, models, export_digest(model))


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64])
def test_what_is_no_digest(model: Path, models: Path, digest: str) -> None:
    assert "not a SHA-256" in str(refusal(model, models, digest))


def test_an_archive_without_a_model(models: Path, tmp_path: Path) -> None:
    error = refusal(archive(tmp_path, tar_of({"out/best.pdparams": b"x", "log.txt": b""})), models)
    assert "holds no exported model; it holds log.txt, out/best.pdparams" in str(error)
    assert "checkpoints" in (error.hint or "")
    assert "it holds nothing" in str(refusal(archive(tmp_path, tar_of({})), models))


def test_an_archive_with_two_models(model: Path, models: Path, tmp_path: Path) -> None:
    files = files_in(model, "all/a/") | files_in(model, "all/b/")
    assert "holds 2 models: all/a, all/b" in str(refusal(archive(tmp_path, tar_of(files)), models))


def test_an_archive_without_the_weights(model: Path, models: Path, tmp_path: Path) -> None:
    files = files_in(model)
    del files["model.pdiparams"]
    assert "no model.pdiparams" in str(refusal(archive(tmp_path, tar_of(files)), models))


def test_damaged_and_hostile_archives(model: Path, models: Path, tmp_path: Path) -> None:
    data = tar_of(files_in(model) | {"weights": os.urandom(100_000)}, "w:gz")
    assert "unpacked" in str(refusal(archive(tmp_path, data[:50_000]), models))
    data = tar_of(files_in(model) | {"../../evil": b"x"})
    assert "refused" in str(refusal(archive(tmp_path, data), models))
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("ftp://host/boats.tar", "ftp:// is not supported"),
        ("hf://boats", "names no repository"),
        ("nowhere/at/all", "no model directory"),
        ("https://user:secret@[bad/boats.tar", "not an address"),
    ],
)
def test_sources_that_are_none(models: Path, source: str, said: str) -> None:
    assert said in str(refusal(source, models))


def test_a_damaged_copy_is_replaced(model: Path, models: Path, tmp_path: Path) -> None:
    packed = archive(tmp_path, tar_of(files_in(model)))
    place = fetch(packed, models)
    for damage in (
        lambda: (place / "model.pdiparams").write_bytes(b"damaged"),
        (place / "model.pdiparams").unlink,
        lambda: (place / "infer_cfg.yml").write_text("{"),
    ):
        damage()
        assert fetch(packed, models) == place
        assert files_in(place) == files_in(model)
    for file in place.iterdir():
        file.unlink()
    assert files_in(fetch(packed, models)) == files_in(model)


def test_several_at_once(model: Path, models: Path, tmp_path: Path) -> None:
    packed = archive(tmp_path, tar_of(files_in(model)))
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch(packed, models))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert files_in(found[0]) == files_in(model)
    assert [path.name for path in models.iterdir()] == [export_digest(model)]


def test_somebody_else_was_faster(
    model: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = archive(tmp_path, tar_of(files_in(model)))
    place = fetch(packed, models)
    before = place.stat().st_ino
    monkeypatch.setattr(Path, "exists", lambda _: False)  # when it was looked for
    assert fetch(packed, models) == place
    assert place.stat().st_ino == before


def test_what_killed_commands_left_is_removed(model: Path, models: Path, tmp_path: Path) -> None:
    for name in (".incoming-old", ".incoming-new"):
        (models / name / "content").mkdir(parents=True)
    with incoming(models) as used:
        for folder in (models / ".incoming-old", used):
            os.utime(folder, (0, 0))
        fetch(archive(tmp_path, tar_of(files_in(model))), models)
        left = {path.name for path in models.iterdir()}
    assert left == {".incoming-new", used.name, export_digest(model)}
    assert not used.exists()


def test_a_home_that_cannot_be_written(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    error = refusal(archive(tmp_path, tar_of(files_in(model))), tmp_path / "file" / "models")
    assert "REGATTA_MODELS_DIRECTORY" in (error.hint or "")
