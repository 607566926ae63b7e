"""Tells somebody that something happened: one try, within a time limit."""

import asyncio
import ipaddress
import json
import logging
import os
import shlex
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

from core.notices import Target, retry_after, signature
from store.notifications import Notice

if TYPE_CHECKING:
    import httpx

WEBHOOK_SECONDS = 15.0
COMMAND_SECONDS = 60.0
_END_SECONDS = 1.0

_GONE = 410
_MOST_SAID = 64 * 1024  # bytes of what a command says
_MOST_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings of a scheduler allow: to run commands, and to call private addresses."""

    commands: bool = True
    private: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try: an `error`, unless it was delivered.

    `is_gone`: the receiver wants no more. `wait` is for how many seconds it wants to be left alone.
    """

    error: str | None = None
    is_gone: bool = False
    wait: float = 0.0


async def tell(
    notice: Notice,
    rules: Rules,
    *,
    webhook_seconds: float = WEBHOOK_SECONDS,
    command_seconds: float = COMMAND_SECONDS,
) -> Outcome:
    """Send a notification once; whatever goes wrong is an outcome."""
    target = notice.target
    limit = command_seconds if target.url is None else webhook_seconds
    try:
        async with asyncio.timeout(limit):
            if target.url is None:
                return await _run(notice, rules)
            return await _post(target.url, notice, rules)
    except TimeoutError:
        return Outcome(f"it took longer than {limit:g} s")
    except (OSError, ValueError) as error:
        return Outcome(_brief(str(error)))


async def _post(url: str, notice: Notice, rules: Rules) -> Outcome:
    import httpx  # noqa: PLC0415 - few jobs tell anybody, and its import takes long

    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs addresses with their secrets
    body = json.dumps(notice.payload, ensure_ascii=False).encode("utf-8", "backslashreplace")
    timestamp = int(time.time())
    headers = {
        "content-type": "application/json",
        "user-agent": f"regatta/{version('regatta')}",
        "webhook-id": notice.id,
        "webhook-timestamp": str(timestamp),
    }
    secret = _secret(notice.target)
    if secret is not None:
        headers["webhook-signature"] = signature(secret, notice.id, timestamp, body)
    address = httpx.URL(url)
    proxy = _proxy(address.scheme, address.host)
    extensions: dict[str, Any] = {}
    if proxy is None:  # a proxy finds the address by itself, and has rules of its own
        # What was looked up is what is called: the name may mean something else a moment later.
        headers["host"] = address.netloc.decode()
        extensions["sni_hostname"] = address.host
        address = address.copy_with(host=await _vetted(address, rules))
    try:
        async with (
            httpx.AsyncClient(timeout=WEBHOOK_SECONDS, proxy=proxy, trust_env=False) as client,
            client.stream(
                "POST", address, content=body, headers=headers, extensions=extensions
            ) as answer,
        ):
            return _outcome(answer)
    except httpx.HTTPError as error:
        return Outcome(_brief(str(error) or type(error).__name__))


def _outcome(answer: "httpx.Response") -> Outcome:
    if answer.is_success:
        return Outcome()
    said = f"it answered {answer.status_code} {answer.reason_phrase}".rstrip()
    if answer.is_redirect:
        said += ", and redirections are not followed"
    wait = retry_after(answer.headers.get("retry-after"), now=time.time())
    return Outcome(_brief(said), is_gone=answer.status_code == _GONE, wait=wait)


def _secret(target: Target) -> str | None:
    if target.secret_env is None:
        return None
    secret = os.environ.get(target.secret_env)
    if not secret:
        raise ValueError(f"the scheduler's environment has no secret {target.secret_env}")
    return secret


def _proxy(scheme: str, host: str) -> str | None:
    """Return the proxy that the environment names for a host, if any."""
    proxies = getproxies()
    found = proxies.get(scheme) or proxies.get("all")
    if not found or proxy_bypass(host):
        return None
    return found if "://" in found else f"http://{found}"


async def _vetted(url: "httpx.URL", rules: Rules) -> str:
    """Return an address of a host that may be called.

    Raises:
        ValueError: one of its addresses may not.
        OSError: it has none.
    """
    port = url.port or (443 if url.scheme == "https" else 80)
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    addresses = [str(one[4][0]) for one in found]
    for each in addresses:
        if why := _why_not(each, rules):
            raise ValueError(f"{url.host} is {each}, {why}")
    return addresses[0]


def _why_not(text: str, rules: Rules) -> str | None:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return "which is never called"
    if not rules.private and not address.is_global:
        return "a private address, which the setting notify_private forbids to call"
    return None


async def _run(notice: Notice, rules: Rules) -> Outcome:
    if not rules.commands:
        return Outcome("this scheduler runs no commands (its setting notify_commands)")
    process = await asyncio.create_subprocess_exec(
        *shlex.split(notice.target.command or ""),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **_facts(notice)},
        start_new_session=True,  # so that all that it starts can be ended with it
    )
    try:
        said = await _talk(process, json.dumps(notice.payload).encode())
        code = await process.wait()
    finally:
        await _end(process)
    if code == 0:
        return Outcome()
    last = said.decode(errors="replace").strip().rpartition("\n")[2]
    return Outcome(_brief(f"it ended with {code}" + (f": {last}" if last else "")))


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill a process with all that it has started, and leave nothing of it behind."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    # Whatever went to a session of its own may hold the pipe for ever.
    with suppress(TimeoutError):
        async with asyncio.timeout(_END_SECONDS):
            await process.communicate()


async def _talk(process: asyncio.subprocess.Process, text: bytes) -> bytes:
    """Write to a process, and return the end of what it says."""
    assert process.stdin is not None
    assert process.stdout is not None

    async def write(to: asyncio.StreamWriter) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it need not read
            to.write(text)
            await to.drain()
        to.close()

    said = b""
    async with asyncio.TaskGroup() as group:
        group.create_task(write(process.stdin))
        while piece := await process.stdout.read(4096):
            said = (said + piece)[-_MOST_SAID:]
    return said


def _facts(notice: Notice) -> Mapping[str, str]:
    job = notice.payload["data"]
    facts = {
        "REGATTA_NOTIFICATION_ID": notice.id,
        "REGATTA_EVENT": notice.payload["type"],
        "REGATTA_JOB_ID": job["id"],
        "REGATTA_JOB_NAME": job["name"],
        "REGATTA_JOB_STATE": job["state"],
        "REGATTA_JOB_OUTPUT": job["output"],
        "REGATTA_JOB_ERROR": job["error"] or "",
    }
    return {name: value.replace("\0", "") for name, value in facts.items()}


def _brief(text: str) -> str:
    return " ".join(text.split())[:_MOST_SHOWN]
