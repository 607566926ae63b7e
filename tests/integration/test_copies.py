from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from core.errors import RetryableError, UsageError
from registry import copies
from registry.copies import copy_folder, copy_object
from store.locations import open_store, use_s3
from store.s3.client import s3_client
from store.s3.options import S3Options
from tests.buckets.faultproxy import Fault, FaultProxy, always, fault_proxy
from tests.buckets.server import Server
from tests.web import files_in


def nothing(done: int, total: int | None) -> None:
    del done, total


@pytest.fixture
def proxy(moto_server: Server) -> Iterator[FaultProxy]:
    with fault_proxy(moto_server.url) as proxy:
        yield proxy


@pytest.fixture
def bucket(proxy: FaultProxy) -> Iterator[str]:
    options = Server(proxy.url).options(max_attempts=1)
    name = f"bucket-{uuid4().hex}"
    s3_client(options).create_bucket(Bucket=name)
    use_s3(options)
    yield f"s3://{name}"
    use_s3(S3Options())


def test_a_folder_comes_whole(bucket: str, tmp_path: Path) -> None:
    files = {"infer_cfg.yml": b"arch", "deep/model.json": b"{}" * 100_000, "empty": b""}
    for key, data in {**{f"m/{key}": data for key, data in files.items()}, "n": b"not"}.items():
        open_store(bucket).put(key, data)
    for number, location in enumerate((f"{bucket}/m", f"{bucket}/m/")):
        into = tmp_path / str(number)
        into.mkdir()
        seen: list[tuple[int, int | None]] = []
        copy_folder(location, into, progress=lambda *told, seen=seen: seen.append(told))
        assert files_in(into) == files
        assert seen[-1] == (200_004, 200_004)


def test_an_object(bucket: str, tmp_path: Path) -> None:
    for data in (b"", b"tar" * 1_000_000):
        open_store(bucket).put("m/a.tar", data)
        copy_object(f"{bucket}/m/a.tar", tmp_path / "a", progress=nothing)
        assert (tmp_path / "a").read_bytes() == data


def test_what_is_not_there(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing below") as caught:
        copy_folder(f"{bucket}/none/", tmp_path, progress=nothing)
    assert caught.value.hint
    with pytest.raises(UsageError, match=r"none\.tar cannot be read"):
        copy_object(f"{bucket}/none.tar", tmp_path / "a", progress=nothing)
    with pytest.raises(UsageError, match="no bucket 'no-such-bucket'"):
        copy_folder("s3://no-such-bucket/m/", tmp_path, progress=nothing)


def test_what_the_store_refuses(bucket: str, proxy: FaultProxy, tmp_path: Path) -> None:
    open_store(bucket).put("m/a.tar", b"x")
    proxy.plan = always(Fault.EXPIRED)
    with pytest.raises(RetryableError, match="ExpiredToken") as caught:
        copy_folder(f"{bucket}/m/", tmp_path, progress=nothing)
    assert "renew" in (caught.value.hint or "")


def test_too_much(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("m/a.tar", "m/b.tar"):
        open_store(bucket).put(key, b"x" * 60)
    monkeypatch.setattr(copies, "LARGEST_BYTES", 100)
    with pytest.raises(UsageError, match="more than"):
        copy_folder(f"{bucket}/m/", tmp_path, progress=nothing)
    monkeypatch.setattr(copies, "LARGEST_BYTES", 50)
    with pytest.raises(UsageError, match="larger than 50"):
        copy_object(f"{bucket}/m/a.tar", tmp_path / "a", progress=nothing)
    monkeypatch.undo()
    monkeypatch.setattr(copies, "MOST_FILES", 1)
    with pytest.raises(UsageError, match="more than 1 objects"):
        copy_folder(f"{bucket}/m/", tmp_path, progress=nothing)


def test_keys_that_lead_out(bucket: str, proxy: FaultProxy, tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    client = s3_client(Server(proxy.url).options(max_attempts=1))
    client.put_object(Bucket=bucket.removeprefix("s3://"), Key="m/../../out", Body=b"evil")
    with pytest.raises(UsageError, match="cannot be read"):
        copy_folder(f"{bucket}/m/", into, progress=nothing)
    assert files_in(tmp_path) == {}
