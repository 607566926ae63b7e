import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from store.objects import ObjectInfo
from store.s3.options import S3Options

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def bare(etag: str) -> str:
    """An etag without its quotes, as inventories have it."""
    return etag.strip('"')


def list_page(
    client: "S3Client",
    bucket: str,
    prefix: str,
    *,
    start_after: str,
    token: str | None,
    options: S3Options,
) -> tuple[list[ObjectInfo], str | None]:
    """A page of a listing, whole keys in it, and the token of the next one if there is more."""
    where: dict[str, Any] = {"ContinuationToken": token} if token else {"StartAfter": start_after}
    answer = client.list_objects_v2(
        Bucket=bucket,
        Prefix=prefix,
        MaxKeys=options.page_keys,
        **where,
        **options.asks_payment,  # type: ignore[arg-type]
    )
    return list(_infos(answer.get("Contents", []))), answer.get("NextContinuationToken")


def _infos(contents: Any) -> Iterator[ObjectInfo]:
    for entry in contents:
        # A key that ends in a slash stands for a folder, in consoles and tools alike.
        if not entry["Key"].endswith("/"):
            # As `HEAD` has it, which knows no fractions.
            modified = float(math.floor(entry["LastModified"].timestamp()))
            yield ObjectInfo(entry["Key"], entry["Size"], bare(entry["ETag"]), modified)
