import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from annotations.export import Wish, export_job
from annotations.formats import FORMATS
from annotations.images import Images
from core.errors import UsageError
from store.locations import open_store, use_s3
from store.s3.client import s3_client
from store.s3.options import S3Options
from tests.bench import Bench
from tests.buckets.server import Server
from tests.found import KEYS, boxes, ended_job, row


@pytest.fixture
def bucket(moto_server: Server) -> Iterator[str]:
    options = moto_server.options()
    name = f"bucket-{uuid4().hex}"
    s3_client(options).create_bucket(Bucket=name)
    use_s3(options)
    yield f"s3://{name}"
    use_s3(S3Options())


def test_an_export_of_a_bucket_into_a_bucket(
    sqlite_bench: Bench, bucket: str, tmp_path: Path
) -> None:
    keys = [key for key in KEYS if key.isprintable()]
    rows = [row(nr, key, boxes([[1, 1, 9, 9]], [0])) for nr, key in enumerate(keys)]
    for key in keys[1:]:
        open_store(f"{bucket}/in").put(key, key.encode())
    job = ended_job(sqlite_bench, rows, source=f"{bucket}/in/")
    yolo = FORMATS["yolo"]
    with pytest.raises(UsageError, match="nothing can link"):
        export_job(sqlite_bench.db, job, f"{bucket}/x", Wish(yolo, images=Images.LINK))
    copied = export_job(sqlite_bench.db, job, f"{bucket}/x", Wish(yolo, images=Images.COPY))
    assert copied.counts.unread == 1
    store = open_store(f"{bucket}/x")
    found = {info.key for info in store.list()}
    assert sum(key.startswith("images/") for key in found) == len(keys) - 1
    assert sum(key.startswith("labels/") for key in found) == len(keys)
    assert store.get("images/a/x_png.png") == b"a/x.png"
    with pytest.raises(UsageError, match="is an export already"):
        export_job(sqlite_bench.db, job, f"{bucket}/x/", Wish(yolo))
    export_job(sqlite_bench.db, job, f"{bucket}/x/", Wish(FORMATS["coco"], overwrite=True))
    assert [info.key for info in store.list()] == ["annotations.json", "export.json"]
    [first, *_] = json.loads(store.get("annotations.json"))["images"]
    assert first["coco_url"] == f"{bucket}/in/{keys[0]}"
    export_job(sqlite_bench.db, job, f"{bucket}/y.csv", Wish(FORMATS["csv"]))
    assert open_store(bucket).get("y.csv").startswith(b"item,")
    store.put("mine", b"")
    store.delete("export.json")
    with pytest.raises(UsageError, match="no export"):
        export_job(sqlite_bench.db, job, f"{bucket}/x", Wish(yolo, overwrite=True))
    local = export_job(
        sqlite_bench.db, job, str(tmp_path / "voc"), Wish(FORMATS["voc"], images=Images.COPY)
    )
    assert local.counts.unread == 1
    assert (tmp_path / "voc/JPEGImages/a/x_png.png").read_bytes() == b"a/x.png"
