import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import S3Store

from core.errors import BadInputError
from store.s3.client import s3_client, s3_credentials
from store.s3.options import S3Options

if TYPE_CHECKING:
    from obstore.store import S3Credential

# The client renews credentials while they are good for ten more minutes, and obstore asks again
# when less than five are left of what it was told.
_CREDENTIAL_SECONDS = 600
_MOST_MISSES = 10
_REST_SECONDS = 300.0


class Reader:
    """Reads whole objects of a bucket through obstore, which takes a fraction of boto3's CPU.

    It knows one answer, the object. Whatever else comes of a request is None here, and left to
    boto3 to ask for again and to say in words. Where that is the rule, it rests for a while:
    boto3 follows a bucket to another region, and this does not.
    """

    def __init__(self, bucket: str, options: S3Options) -> None:
        self._bucket = bucket
        self._store = S3Store(bucket, **_config(options))
        self._misses = 0
        self._rests_until = float("-inf")

    def get(self, key: str, *, if_match: str | None, max_bytes: int | None) -> bytes | None:
        """The object, or None if boto3 has to be asked.

        Raises:
            BadInputError: `too_large`, of what was answered.
        """
        # What obstore would read as another key must not be asked of it.
        if key.startswith("/") or time.monotonic() < self._rests_until:
            return None
        try:
            answer = self._store.get(
                key, options={} if if_match is None else {"if_match": f'"{if_match}"'}
            )
            size = answer.meta["size"]
            if max_bytes is not None and size > max_bytes:
                raise BadInputError(
                    "too_large",
                    f"s3://{self._bucket}/{key} has {size} bytes; {max_bytes} are allowed",
                )
            data = bytes(answer.bytes())
        except (BaseError, OSError, ValueError):
            return None
        self._misses = 0
        return data if len(data) == size else None

    def missed(self) -> None:
        """Note that boto3 could read what this could not."""
        self._misses += 1
        if self._misses >= _MOST_MISSES:
            self._misses = 0
            self._rests_until = time.monotonic() + _REST_SECONDS


@lru_cache(maxsize=16)
def reader(bucket: str, options: S3Options) -> Reader:
    """The reader of a bucket, the same one each time: it keeps connections."""
    return Reader(bucket, options)


def _config(options: S3Options) -> dict[str, Any]:
    meta = s3_client(options).meta
    region = "us-east-1" if meta.region_name == "aws-global" else meta.region_name
    is_aws = (urlsplit(meta.endpoint_url).hostname or "").endswith((".amazonaws.com", ".aws"))
    signed: dict[str, Any] = (
        {"skip_signature": True}
        if options.anonymous
        else {"credential_provider": _provider(options)}
    )
    return {
        "region": region,
        # AWS answers a path as well as a host, and so does nearly everybody else.
        "virtual_hosted_style_request": False,
        "request_payer": options.requester_pays,
        "retry_config": {
            "max_retries": options.max_attempts - 1,
            "backoff": {"max_backoff": timedelta(seconds=10)},
        },
        "client_options": _client_options(options),
        **({} if is_aws else {"endpoint": meta.endpoint_url}),
        **signed,
    }


def _client_options(options: S3Options) -> dict[str, Any]:
    told: dict[str, Any] = {
        "allow_http": True,
        "connect_timeout": timedelta(seconds=options.connect_timeout),
        "timeout": timedelta(seconds=options.read_timeout),
    }
    if options.ca_bundle is not None:
        told["root_certificate"] = Path(options.ca_bundle).read_bytes()
    return told


def _provider(options: S3Options) -> "Callable[[], S3Credential]":
    def provide() -> "S3Credential":
        access_key, secret_key, token = s3_credentials(options)
        return {
            "access_key_id": access_key,
            "secret_access_key": secret_key,
            "token": token,
            "expires_at": datetime.now(UTC) + timedelta(seconds=_CREDENTIAL_SECONDS),
        }

    return provide
