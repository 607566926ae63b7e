import mimetypes
from typing import TYPE_CHECKING, Any, BinaryIO

from boto3.s3.transfer import TransferConfig

from store.s3.options import MIB, S3Options

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_PART_BYTES = 16 * MIB
_PARALLEL = 4
_QUEUED = 2  # parts of a stream that are in memory beside those being sent


def said_of(key: str, options: S3Options) -> dict[str, str]:
    """What an upload says of an object beside its content."""
    kind, _ = mimetypes.guess_type(key)
    return {
        "ContentType": kind or "application/octet-stream",
        **options.asks_encryption,
        **options.asks_payment,
    }


def _in_parts(threshold: int) -> TransferConfig:
    """How what is larger than `threshold` is moved: some parts at a time, in bounded memory."""
    config = TransferConfig(
        multipart_threshold=threshold,
        multipart_chunksize=_PART_BYTES,
        max_concurrency=_PARALLEL,
    )
    config.max_in_memory_upload_chunks = _QUEUED
    return config


def upload(client: "S3Client", bucket: str, key: str, source: BinaryIO, options: S3Options) -> None:
    """Put a stream of any length under a key; if it breaks off, nothing of it stays."""
    client.upload_fileobj(
        source,
        bucket,
        key,
        ExtraArgs=said_of(key, options),
        Config=_in_parts(options.multipart_bytes),
    )


def server_side_copy(
    client: "S3Client", bucket: str, src: str, dst: str, size: int, options: S3Options
) -> None:
    """Copy an object of this size within the bucket, in parts if it is too large for one."""
    source: Any = {"Bucket": bucket, "Key": src}
    if size > options.copy_bytes:
        config = _in_parts(options.copy_bytes)
        client.copy(source, bucket, dst, ExtraArgs=said_of(dst, options), Config=config)
        return
    # The kind of content comes along by itself; encryption does not.
    said: Any = {**options.asks_encryption, **options.asks_payment}
    client.copy_object(Bucket=bucket, Key=dst, CopySource=source, **said)
