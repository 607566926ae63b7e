"""What people may call a source or an output when it lies in a bucket."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from core.errors import RetryableError, UsageError
from core.request import JobRequest
from core.selection import Selection
from core.sources import parse_source, place_in, sources_by_prefix
from scheduler.dataset import estimate, locate, locate_all
from scheduler.listing import Listed, listing
from scheduler.submit import JobDefaults, submit
from store.locations import open_store, use_s3
from store.s3.client import s3_client
from store.s3.options import S3Options
from store.tables import Job
from tests.bench import Bench
from tests.buckets.faultproxy import Fault, FaultProxy, Plan, always, fault_proxy
from tests.buckets.server import Server
from tests.workshop import write_model

NAMES = ("p/2023/a.jpg", "p/2024/b.jpg", "p/2024/c.png", "p/2024/notes", "p/d[1].jpg", "p/film.mp4")


@pytest.fixture
def proxy(moto_server: Server) -> Iterator[FaultProxy]:
    with fault_proxy(moto_server.url) as proxy:
        yield proxy


@pytest.fixture
def bucket(proxy: FaultProxy) -> Iterator[str]:
    """The URL of a bucket with some objects."""
    options = Server(proxy.url).options(max_attempts=1)
    name = f"bucket-{uuid4().hex}"
    s3_client(options).create_bucket(Bucket=name)
    use_s3(options)
    url = f"s3://{name}"
    for number, key in enumerate(NAMES):
        open_store(url).put(key, bytes(number + 1))
    yield url
    use_s3(S3Options())


def items(source: str, cursor: Any = None) -> list[Listed]:
    return list(listing(parse_source(source), cursor))


def keys(source: str) -> list[str]:
    return [item.key for item in items(source)]


@pytest.mark.parametrize(
    ("text", "source", "name", "found"),
    [
        ("/p", "/p/", "p", [key[2:] for key in NAMES]),
        ("/p/2024/", "/p/2024/", "2024", ["b.jpg", "c.png", "notes"]),
        ("/p/**/*.jpg", "/p/**/*.jpg", "*.jpg", ["2023/a.jpg", "2024/b.jpg", "d[1].jpg"]),
        ("/p/2024/*.jpg", "/p/2024/*.jpg", "*.jpg", ["b.jpg"]),
        ("/p/d[1].jpg", "/p/d[[]1].jpg", "d[1].jpg", ["d[1].jpg"]),
        ("/p/2023/a.jpg", "/p/2023/a.jpg", "a.jpg", ["a.jpg"]),
    ],
)
def test_sources_in_a_bucket(
    bucket: str, text: str, source: str, name: str, found: list[str]
) -> None:
    dataset = locate(bucket.replace("s3:", "S3:") + text)
    assert (dataset.source, dataset.name) == (bucket + source, name)
    assert keys(dataset.source) == found


def test_a_whole_bucket(bucket: str) -> None:
    assert locate(bucket).source == f"{bucket}/"
    assert locate(bucket).name == bucket.removeprefix("s3://")
    assert keys(f"{bucket}/") == list(NAMES)


def test_a_listing_goes_on_behind_its_cursor(bucket: str) -> None:
    whole = items(f"{bucket}/p/**/*.jpg")
    for position, item in enumerate(whole):
        assert items(f"{bucket}/p/**/*.jpg", item.cursor) == whole[position + 1 :]


def test_selections_apply(bucket: str) -> None:
    store = open_store(f"{bucket}/p")
    found = estimate(f"{bucket}/p/", Selection(include=("*.jpg", "*.png"), exclude=("2023/*",)))
    assert found.examples == ("2024/b.jpg", "2024/c.png", "d[1].jpg")
    assert found.passed_over == {"excluded": 1, "not an image": 1, "video": 1}
    later = max(info.modified for info in store.list()) + 1
    assert estimate(f"{bucket}/p/", Selection(since=later)).items == 0


def test_hidden_keys_are_passed_over_and_folders_stand_beside_buckets(
    bucket: str, tmp_path: Path
) -> None:
    open_store(bucket).put("p/2024/.thumbs/b.jpg", b"")
    (tmp_path / "2024").mkdir()
    (tmp_path / "2024/b.jpg").touch()
    found = locate_all([f"{bucket}/p/2024", str(tmp_path / "2024")])
    selected = estimate(found.source, Selection(sources=found.several))
    assert selected.examples == ("2024/b.jpg", "2024/c.png", "2024-2/b.jpg")
    assert selected.passed_over == {"hidden": 1, "not an image": 1}
    sources = sources_by_prefix(found.source, found.several)
    for key, size in {"2024/b.jpg": 2, "2024-2/b.jpg": 0}.items():
        root, name = place_in(sources, key)
        assert open_store(root).head(name).size == size


def test_lists_of_items_here_and_there(bucket: str, tmp_path: Path) -> None:
    local = tmp_path / "items.txt"
    local.write_text(f"{bucket}/p/2023/a.jpg\nb.jpg\n")
    assert [item.uri for item in items(locate(str(local)).source)] == [
        f"{bucket}/p/2023/a.jpg",
        None,
    ]
    store = open_store(f"{bucket}/p")
    store.put("items.csv", f"key,etag\n2024/b.jpg,x\n{bucket}/p/2023/a.jpg,\n".encode())
    store.put("items.jsonl", b'{"key": "2024/b.jpg"}\n"2024/c.png"\n')
    csv = items(locate(f"{bucket}/p/items.csv").source)
    assert [(item.key, item.uri, item.etag) for item in csv] == [
        ("2024/b.jpg", None, "x"),
        (f"{bucket}/p/2023/a.jpg", f"{bucket}/p/2023/a.jpg", None),
    ]
    assert keys(locate(f"{bucket}/p/items.jsonl").source) == ["2024/b.jpg", "2024/c.png"]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("/none", "no folder", "right"),
        ("/none/", "no folder", "right"),
        ("/none.jpg", "cannot be read", "right"),
        ("/p/film.mp4", "a video", "image"),
        ("/p/2024/notes", "not an image", "suffixes"),
    ],
)
def test_what_is_no_source(bucket: str, text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        locate(bucket + text)
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("url", ["s3://", "s3:///a", "s3://a", "s3://key:secret@bucket/a"])
def test_urls_without_a_bucket(url: str) -> None:
    with pytest.raises(UsageError, match="names no bucket") as caught:
        locate(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("source", ["s3://no-such-bucket/p", "s3://no-such-bucket/p/*.jpg"])
def test_a_bucket_that_does_not_exist_is_no_source(bucket: str, source: str) -> None:
    with pytest.raises(UsageError, match="no bucket 'no-such-bucket'") as caught:
        locate(source)
    assert "s3_endpoint_url" in (caught.value.hint or "")


def send(bench: Bench, source: str, output: str | None) -> Job:
    model = bench.root / "model"
    if not model.exists():
        write_model(model)
    defaults = JobDefaults(str(bench.root / "outputs"), 10, 20, 90)
    return submit(bench.db, JobRequest.of(source, str(model), output=output), defaults)


def test_source_and_output_may_lie_in_different_stores(bench: Bench, bucket: str) -> None:
    into = send(bench, f"{bucket}/p", None)
    assert into.source == f"{bucket}/p/"
    (bench.root / "photos").mkdir()
    (bench.root / "photos" / "a.jpg").write_bytes(b"x")
    job = send(bench, str(bench.root / "photos"), f"{bucket}/out/")
    assert job.output == f"{bucket}/out"
    assert list(open_store(job.output).list()) == []


def test_an_output_in_its_source_is_refused(bench: Bench, bucket: str) -> None:
    with pytest.raises(UsageError, match="lies in the source"):
        send(bench, f"{bucket}/p", f"{bucket}/p/out")


@pytest.mark.parametrize(
    ("plan", "message", "hint"),
    [
        (always(Fault.EXPIRED), "source .* ExpiredToken", "renew the credentials"),
        (always(Fault.DENIED, on="list-type"), "source .* AccessDenied", "allow s3:ListBucket"),
        (always(Fault.DENIED, method="PUT"), "output .* AccessDenied", "allow s3:PutObject"),
        (always(Fault.INTERNAL), "source .* InternalError", "busy"),
    ],
)
def test_what_stands_against_a_job_is_said_at_once(
    bench: Bench, bucket: str, proxy: FaultProxy, plan: Plan, message: str, hint: str
) -> None:
    proxy.plan = plan
    with pytest.raises(RetryableError, match=message) as caught:
        send(bench, f"{bucket}/p", f"{bucket}/out")
    assert hint in (caught.value.hint or "")


def test_an_output_in_a_bucket_that_does_not_exist(bench: Bench, bucket: str) -> None:
    with pytest.raises(UsageError, match=r"output .* no bucket 'no-such-bucket'"):
        send(bench, f"{bucket}/p", "s3://no-such-bucket/out")
