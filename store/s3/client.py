import threading
import time
from typing import TYPE_CHECKING, Any

from boto3.session import Session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, NoCredentialsError

from core.errors import BlockedError
from store.s3.options import S3Options

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_RENEW_SECONDS = 10.0  # making a client takes a while, and each of many threads may ask for it

# A client may be shared between threads, but not its making.
_making = threading.Lock()
_made: "dict[S3Options, tuple[Session, S3Client, float]]" = {}


def s3_client(options: S3Options) -> "S3Client":
    """The client for these options, the same one each time.

    Credentials are looked up once and refreshed by whatever provides them.

    Raises:
        BlockedError: the profile, a file or the endpoint that it is told to use does not do.
    """
    with _making:
        if options not in _made:
            _made[options] = (*_new(options), time.monotonic())
        return _made[options][1]


def s3_credentials(options: S3Options) -> tuple[str, str, str | None]:
    """The key, its secret and token that the client signs with, good for ten minutes at least.

    Raises:
        NoCredentialsError: there are none.
    """
    s3_client(options)
    with _making:
        session = _made[options][0]
    found = session.get_credentials()
    if found is None:
        raise NoCredentialsError
    access_key, secret_key, token, *_ = found.get_frozen_credentials()
    if access_key is None or secret_key is None:
        raise NoCredentialsError
    return access_key, secret_key, token


def look_up_credentials_again(options: S3Options) -> None:
    """Make the next request with a new client: somebody may have renewed what is in a file."""
    with _making:
        if options in _made and time.monotonic() - _made[options][2] > _RENEW_SECONDS:
            del _made[options]


def _new(options: S3Options) -> "tuple[Session, S3Client]":
    # Servers that only speak like S3 often refuse the newer checksums.
    checksums: Any = {} if options.endpoint_url is None else _NO_CHECKSUMS
    config = Config(
        connect_timeout=options.connect_timeout,
        read_timeout=options.read_timeout,
        max_pool_connections=options.connections,
        retries={"mode": options.retry_mode, "total_max_attempts": options.max_attempts},
        s3={"addressing_style": options.addressing},
        signature_version=UNSIGNED if options.anonymous else None,
        tcp_keepalive=True,
        user_agent_extra="regatta",
        **checksums,
    )
    try:
        session = Session()
        return session, session.client(
            "s3",
            endpoint_url=options.endpoint_url,
            region_name=options.region,
            verify=options.ca_bundle,
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        raise BlockedError(
            f"S3 cannot be used: {error}",
            hint="correct s3_endpoint_url and s3_region, or AWS_PROFILE and ~/.aws/config",
        ) from error


_NO_CHECKSUMS = {
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}
