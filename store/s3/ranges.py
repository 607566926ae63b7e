"""Reads ranges of objects through pyarrow, which knows what it needs of a Parquet file."""

from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from botocore.exceptions import BotoCoreError
from pyarrow import fs

from core.errors import BlockedError, FatalError
from store.s3.client import s3_client, s3_credentials
from store.s3.location import S3Location
from store.s3.options import S3Options


def ranged_object(location: S3Location, key: str, options: S3Options) -> pa.NativeFile | None:
    """Return the object under a key below a location, opened for reading.

    None if whoever reads has to pay: pyarrow cannot say so.

    Raises:
        FatalError: it is missing, or cannot be opened.
        BlockedError: there are no credentials.
    """
    if options.requester_pays:
        return None
    place = f"{location.bucket}/{location.folder}{key}"
    try:
        return s3_filesystem(options).open_input_file(place)
    except OSError as error:
        raise FatalError(f"s3://{place} cannot be read: {error}") from error


@lru_cache(maxsize=4)
def s3_filesystem(options: S3Options) -> fs.S3FileSystem:
    """Return pyarrow's file system for these options, the same one each time.

    It signs with the credentials of this moment: it is for commands, not for what runs for days.

    Raises:
        BlockedError: there are no credentials.
    """
    meta = s3_client(options).meta
    endpoint = urlsplit(meta.endpoint_url)
    is_aws = (endpoint.hostname or "").endswith((".amazonaws.com", ".aws"))
    told: dict[str, Any] = {
        "region": "us-east-1" if meta.region_name == "aws-global" else meta.region_name,
        "connect_timeout": options.connect_timeout,
        "request_timeout": options.read_timeout,
        "force_virtual_addressing": options.addressing == "virtual",
        "retry_strategy": fs.AwsStandardS3RetryStrategy(max_attempts=options.max_attempts),
    }
    if not is_aws:
        told |= {"endpoint_override": endpoint.netloc, "scheme": endpoint.scheme}
    if options.ca_bundle is not None:
        told["tls_ca_file_path"] = options.ca_bundle
    if options.anonymous:
        return fs.S3FileSystem(anonymous=True, **told)
    try:
        key, secret, token = s3_credentials(options)
    except BotoCoreError as error:
        raise BlockedError(
            f"S3 cannot be used: {error}", hint="give credentials in the environment or ~/.aws"
        ) from error
    return fs.S3FileSystem(access_key=key, secret_key=secret, session_token=token, **told)
