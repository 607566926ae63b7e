"""What S3's errors mean, in Regatta's own errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from urllib3.exceptions import HTTPError

from core.errors import BadInputError, BlockedError, FatalError, RegattaError, RetryableError
from store.s3.client import look_up_credentials_again
from store.s3.options import S3Options

CUT_SHORT = (IncompleteReadError, ResponseStreamingError, ReadTimeoutError, HTTPError)
"""What reading a body may raise when it is cut short; asking for the rest may help."""

_NOT_SIGNED = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
    SSOError,
)
_NOT_REACHED = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError)
_BAD_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "TokenRefreshRequired",
        "InvalidToken",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "AuthFailure",
        "NotSignedUp",
        "AccountProblem",
    }
)
_DENIED = frozenset({"AccessDenied", "AllAccessDisabled", "Forbidden", "403"})
_FULL = frozenset(
    {
        "InsufficientStorage",
        "XMinioStorageFull",
        "XMinioAdminBucketQuotaExceeded",
        "QuotaExceeded",
        "StorageFull",
    }
)
_MISSING = frozenset({"NoSuchKey", "NoSuchVersion", "404", "MethodNotAllowed", "405"})
_WRONG_PLACE = frozenset(
    {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)
_PASSING = frozenset(
    {
        "RequestTimeout",
        "RequestTimeTooSkewed",
        "BadDigest",
        "XAmzContentSHA256Mismatch",
        "IncompleteBody",
        "OperationAborted",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "429",
    }
)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a bucket, for error messages; `key` is the whole key, or a prefix.

    `permission` is what the bucket's policy has to allow for it.
    """

    verb: str
    permission: str
    bucket: str
    key: str

    @property
    def url(self) -> str:
        """The URL of what is asked for."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def grant(self) -> str:
        """What to allow, and where."""
        within = "" if self.permission == "s3:ListBucket" else f"/{self.key}"
        return f"allow {self.permission} on arn:aws:s3:::{self.bucket}{within}"


@contextmanager
def asking(request: Request, options: S3Options) -> Iterator[None]:
    """Translate what S3, or the connection to it, says against a request."""
    try:
        yield
    except ClientError as error:
        raise _refused(request, error, options) from error
    except BotoCoreError as error:
        raise _unheard(request, error, options) from error
    except OSError as error:
        raise RetryableError(f"{request.url}: {error}") from error


def _refused(request: Request, error: ClientError, options: S3Options) -> RegattaError:
    """Translate an error that S3 answered with."""
    answer: dict[str, Any] = dict(error.response.get("Error", {}))
    code = str(answer.get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    what = f"{request.url}: {code or status} {answer.get('Message') or ''}".rstrip()
    if code in _BAD_CREDENTIALS:
        look_up_credentials_again(options)
        return BlockedError(f"{what} (credentials)", hint=_RENEW)
    if code == "NoSuchBucket":
        return FatalError(
            f"there is no bucket {request.bucket!r}",
            hint="correct its name, or s3_endpoint_url if it is another service's",
        )
    if code in _WRONG_PLACE:
        return FatalError(what, hint=f"set s3_region to that of the bucket {request.bucket!r}")
    if code in _FULL or status == HTTPStatus.INSUFFICIENT_STORAGE:
        return BlockedError(
            f"waiting for room in s3://{request.bucket} (storage full): {what}",
            hint="free some space, or raise its quota",
        )
    if code in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return RetryableError(what, hint="S3 is busy or disturbed: it is tried again")
    refused = _unreadable if request.verb == "read" else _forbidden
    return refused(request, code, status, what)


def _unreadable(request: Request, code: str, status: int, what: str) -> BadInputError:
    """Translate an error about one object: its neighbours may be fine."""
    if code in {"PreconditionFailed", "412"}:
        return BadInputError("source_changed", f"{what}: it is not what it was when it was listed")
    if code == "InvalidObjectState":
        return BadInputError("archived", f"{what}: restore it to a class that can be read at once")
    if code == "KeyTooLongError":
        return BadInputError("bad_key", what)
    if code in _MISSING:
        return BadInputError("source_missing", what)
    if code in _DENIED or status == HTTPStatus.FORBIDDEN:
        return BadInputError(
            "access_denied",
            f"{what}: {request.grant}; without s3:ListBucket on the bucket this may also mean "
            "that there is no such object",
        )
    return BadInputError("store_refused", what)


def _forbidden(request: Request, code: str, status: int, what: str) -> RegattaError:
    """Translate an error about writing, deleting or listing: other requests will meet it, too."""
    if code in _DENIED or status == HTTPStatus.FORBIDDEN:
        return BlockedError(f"{what}: it may not {request.verb}", hint=request.grant)
    if code == "KeyTooLongError":
        return BadInputError("bad_key", what)
    if code in _MISSING:
        return BadInputError("source_missing", what)
    return BlockedError(what, hint="see what S3 says: a setting or the bucket's policy is at odds")


def _unheard(request: Request, error: BotoCoreError, options: S3Options) -> RegattaError:
    """Translate what kept a request from S3, or its answer from us."""
    what = f"{request.url}: {error}"
    if isinstance(error, _NOT_SIGNED):
        look_up_credentials_again(options)
        return BlockedError(f"{what} (credentials)", hint=_RENEW)
    if isinstance(error, SSLError):
        return BlockedError(what, hint="set s3_ca_bundle to the certificates that it is signed by")
    if isinstance(error, _NOT_REACHED):
        return BlockedError(what, hint="correct s3_endpoint_url and s3_region; is it running?")
    return RetryableError(what, hint="check the connection to S3")


_RENEW = (
    "renew the credentials: AWS_ACCESS_KEY_ID and its secret in the environment, ~/.aws, "
    "`aws sso login`, or the machine's role"
)
