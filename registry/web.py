"""Downloads one file from a web server."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from core.errors import RetryableError, UsageError
from registry.archives import LARGEST_BYTES

Progress = Callable[[int, int | None], None]
"""Called with the bytes received, and their total if known."""


if TYPE_CHECKING:
    import httpx

_CONNECT_SECONDS = 20.0
_SILENCE_SECONDS = 60.0
_PIECE = 1 << 18
_MISSING = frozenset({404, 410})
_DENIED = frozenset({401, 403, 407})
_ELSEWHERE = "or get the file in another way and give its path"


def without_secrets(url: str) -> str:
    """Return a URL as it may be shown and kept: no user, no password, no query (with signatures).

    Anything but a URL is returned unchanged.

    Raises:
        UsageError: it looks like a URL but is not valid.
    """
    if "://" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"that is not an address: {error}", hint="check its spelling") from error
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def download(url: str, to: Path, *, progress: Progress) -> None:
    """Write what is at an http:// or https:// address into a file.

    Redirections are followed; proxies and certificates are those that the environment names
    (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`).

    Raises:
        UsageError: nothing is there, it is not public, or it is too large.
        RetryableError: the server can't be reached, has trouble of its own, or breaks off.
    """
    import httpx  # noqa: PLC0415 - few commands talk to web servers, and its import takes long

    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs addresses with their secrets
    shown = without_secrets(url)
    timeout = httpx.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS)
    # The file's own bytes are counted and written: a .tar.gz must stay one.
    headers = {"Accept-Encoding": "identity"}
    try:
        with (
            httpx.Client(timeout=timeout, follow_redirects=True) as client,
            client.stream("GET", url, headers=headers) as answer,
        ):
            _check(answer.status_code, answer.reason_phrase, shown)
            _write(answer, to, shown, progress)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise UsageError(f"{shown!r} is not a web address: {error}") from error
    except httpx.HTTPError as error:
        raise RetryableError(
            f"{shown} cannot be downloaded: {error or type(error).__name__}",
            hint=f"check the network, and HTTPS_PROXY if there is a proxy; try again, {_ELSEWHERE}",
        ) from error


def _check(status: int, phrase: str, shown: str) -> None:
    if status in _MISSING:
        raise UsageError(f"there is nothing at {shown} ({status})", hint="check the address")
    if status in _DENIED:
        raise UsageError(
            f"{shown} is not public: the server said {status} {phrase}",
            hint=f"use an address with a signature or https://user:password@host/..., {_ELSEWHERE}",
        )
    if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's own numbers
        raise RetryableError(
            f"{shown} cannot be downloaded: the server said {status} {phrase}",
            hint=f"try again later, {_ELSEWHERE}",
        )


def _write(answer: "httpx.Response", to: Path, shown: str, progress: Progress) -> None:
    said = answer.headers.get("Content-Length", "")
    total = int(said) if said.isdecimal() else None
    written = 0
    with to.open("wb") as file:
        for piece in answer.iter_raw(_PIECE):
            written += len(piece)
            if max(written, total or 0) > LARGEST_BYTES:
                raise UsageError(f"{shown} is larger than {LARGEST_BYTES:,} bytes")
            file.write(piece)
            progress(written, total)
