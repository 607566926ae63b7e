"""Models that come from elsewhere and are truly run, as a person asks for it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from store.locations import open_store, use_s3
from store.s3.client import s3_client
from store.s3.options import S3Options
from tests.buckets.server import Server
from tests.web import files_in, tar_of
from vision.exports.export import export_digest

Regatta = Callable[..., Result]


@pytest.fixture
def regatta(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Regatta:
    monkeypatch.setenv("REGATTA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli, words)


@pytest.fixture
def bucket(moto_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket, which commands find by the settings."""
    options = moto_server.options()
    name = f"bucket-{uuid4().hex}"
    s3_client(options).create_bucket(Bucket=name)
    use_s3(options)
    monkeypatch.setenv("REGATTA_S3_ENDPOINT_URL", moto_server.url)
    monkeypatch.setenv("REGATTA_S3_REGION", "us-east-1")
    monkeypatch.setenv("REGATTA_S3_ADDRESSING", "path")
    yield f"s3://{name}"
    use_s3(S3Options())


@pytest.mark.proof
def test_a_mirror_in_a_bucket_and_a_prefix(
    bucket: str,
    blob_detector: Path,
    regatta: Regatta,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = files_in(blob_detector)
    official = {
        f"PicoDet-S_infer/{name.replace('infer_cfg', 'inference')}": data
        for name, data in files.items()
    }
    open_store(bucket).put("paddle3.0.0/PicoDet-S_infer.tar", tar_of(official))
    for name, data in files.items():
        open_store(bucket).put(f"blobs/v1/{name}", data)

    monkeypatch.setenv("REGATTA_CATALOGUE_URL", f"{bucket}/paddle3.0.0")
    result = regatta("models", "pull", "PicoDet-S", "--as", "pico")
    assert (result.exit_code, result.stdout) == (0, "pico\n"), result.stderr
    card = json.loads(regatta("models", "show", "pico", "--format", "json").stdout)
    assert card["checked_with"].startswith("paddle ")
    assert [each["name"] for each in card["inputs"]] == ["image", "scale_factor"]
    assert Path(card["location"]).parent == tmp_path / "home" / "models" / card["digest"]

    result = regatta("models", "add", "blobs", f"{bucket}/blobs/v1/", "--task", "detect")
    assert result.exit_code == 0, result.stderr
    card = json.loads(regatta("models", "show", "blobs", "--format", "json").stdout)
    assert card["digest"] == export_digest(blob_detector)
    assert card["source"] == f"{bucket}/blobs/v1/"

    result = regatta("models", "pull", "PicoDet-M")
    assert result.exit_code == 2
    assert "PicoDet-M_infer.tar cannot be read" in result.stderr
