"""Who is told that a job has ended, when, and in which words; and when to try again.

Webhooks follow Standard Webhooks (https://www.standardwebhooks.com).
"""

import base64
import binascii
import hashlib
import hmac
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Self
from urllib.parse import urlsplit

from core.errors import UsageError
from core.states import JobState

FINISH, FAILURE = "finish", "failure"
"""When to tell: whenever a job ends, or only if something of it is missing."""

_FAILURES = frozenset({JobState.FAILED, JobState.PARTIAL})
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_PREFIX = "whsec_"  # noqa: S105 - what marks a secret, not one

_DELAYS = (5, 30, 120, 600, 1800, *(h * 3600 for h in (1, 2, 5, 10, 14, 20, 24)))
"""Seconds from one try to the next: about three days in all."""

LONGEST_DELAY = 1.25 * _DELAYS[-1]
"""Seconds that are never exceeded, whatever a receiver asks for."""

LEASE_SECONDS = 120.0
"""How long whoever sends a notification may take; longer than any try."""

OPTIONS = ("notify", "notify_on", "notify_secret_env", "notify_command")
"""The options of a job that say who is told, by their Python names."""


@dataclass(frozen=True, slots=True)
class Target:
    """Somebody who is told: a webhook at `url`, or a `command`.

    `secret_env` names the variable of the scheduler's environment that holds the secret by which
    webhooks are signed.
    """

    url: str | None = None
    command: str | None = None
    secret_env: str | None = None

    @property
    def receiver(self) -> str:
        """Who it is, as it may be shown: paths of webhooks often are secrets."""
        if self.url is None:
            return f"command {shlex.split(self.command or '')[0]}"
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def to_json(self) -> dict[str, str]:
        """Return plain values."""
        values = {"url": self.url, "command": self.command, "secret_env": self.secret_env}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(data.get("url"), data.get("command"), data.get("secret_env"))


def notices_of(said: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return whom a job's options tell and when, as plain values; None if nobody."""
    urls, command = said.get("notify", ()), said.get("notify_command")
    secret_env = said.get("notify_secret_env")
    targets = [Target(url=url, secret_env=secret_env) for url in dict.fromkeys(urls)]
    if command is not None:
        targets.append(Target(command=command))
    if not targets:
        return None
    told = [target.to_json() for target in targets]
    return {"on": said.get("notify_on", FINISH), "targets": told}


def targets_of(notify: Mapping[str, Any] | None, state: JobState) -> dict[int, Target]:
    """Return who is told that a job ended in this state, by their places in the job's list."""
    if notify is None or (notify["on"] == FAILURE and state not in _FAILURES):
        return {}
    return dict(enumerate(map(Target.from_json, notify["targets"])))


def check_notices(said: Mapping[str, Any]) -> None:
    """Refuse what nobody could be told by.

    Raises:
        UsageError: an address is not a web address or holds a password, a command is not one, a
            variable has no name, or an option is about nobody.
    """
    for url in said.get("notify", ()):
        _check_url(url)
    if (command := said.get("notify_command")) is not None:
        _check_command(command)
    if (name := said.get("notify_secret_env")) is not None:
        if not _VARIABLE.fullmatch(name):
            raise UsageError(
                "--notify-secret-env takes the name of an environment variable",
                hint="the secret itself is read by the scheduler, and never stored",
            )
        if not said.get("notify"):
            raise UsageError("--notify-secret-env signs webhooks, and there is no --notify")
    if "notify_on" in said and notices_of(said) is None:
        raise UsageError("--notify-on needs somebody to tell: --notify or --notify-command")


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1)
    except ValueError:
        is_web = False
    if not is_web or not url.isprintable() or " " in url:
        raise UsageError("--notify takes a web address: https://host/path")
    if "@" in parts.netloc:
        raise UsageError(
            "--notify takes no address with a user or password: jobs are stored as they are",
            hint="sign with --notify-secret-env",
        )


def _check_command(command: str) -> None:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--notify-command cannot be read: {error}") from error
    if not words or not words[0] or "\0" in command:
        raise UsageError("--notify-command names no command")


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: HMAC-SHA256 over `id.timestamp.body`.

    `secret` is text, or `whsec_` and base64.

    Raises:
        ValueError: what follows `whsec_` is not base64.
    """
    key = secret.encode()
    if secret.startswith(_SECRET_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
        except binascii.Error as error:
            raise ValueError("what follows whsec_ is not base64") from error
    signed = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(signed.digest()).decode()}"


def delay_after(tries: int, jitter: float, asked: float = 0.0) -> float | None:
    """Return the seconds until the next try after so many failed ones; None gives up.

    `jitter` is between 0 and 1; `asked` is what the receiver asked for.
    """
    if tries > len(_DELAYS):
        return None
    delay = _DELAYS[tries - 1] * (0.8 + 0.4 * jitter)
    return min(LONGEST_DELAY, max(delay, asked))


def retry_after(header: str | None, *, now: float) -> float:
    """Return the seconds that a header `Retry-After` asks for: a number, or a date; else 0."""
    if header is None:
        return 0.0
    if header.strip().isdecimal():
        return float(header)
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - every command imports this file

    try:
        when = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, when.timestamp() - now)
