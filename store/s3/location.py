import re
from dataclasses import dataclass

from core.errors import UsageError

_SCHEME = "s3://"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")


def is_s3(url: str) -> bool:
    """Whether a location is an `s3://` URL."""
    return url[: len(_SCHEME)].lower() == _SCHEME


@dataclass(frozen=True, slots=True)
class S3Location:
    """A bucket and what comes after it: a key, or the beginning of keys.

    In the URL a key is written as it is: nothing in it is encoded, `%`, `?` and `#` are its own.
    """

    bucket: str
    key: str

    @classmethod
    def parse(cls, url: str) -> "S3Location":
        """Read `s3://bucket` or `s3://bucket/key`.

        Raises:
            UsageError: there is no bucket in it that could exist, or its key is no text.
        """
        bucket, _, key = url[len(_SCHEME) :].partition("/")
        if not _BUCKET.fullmatch(bucket):
            shown = re.sub(r"//.*@", "//", url)
            raise UsageError(
                f"{shown!r} names no bucket",
                hint="write s3://bucket/prefix; credentials come from the environment or ~/.aws",
            )
        if "\0" in key or not _is_text(key):
            raise UsageError(f"{url!r} is no S3 key", hint="keys are valid UTF-8 without NUL")
        return cls(bucket, key)

    @property
    def url(self) -> str:
        """The location as a URL."""
        return f"{_SCHEME}{self.bucket}/{self.key}"

    @property
    def folder(self) -> str:
        """The beginning of the keys in the folder of this name; empty for the whole bucket."""
        return self.key if not self.key or self.key.endswith("/") else f"{self.key}/"


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
