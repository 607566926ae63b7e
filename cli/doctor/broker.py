"""Checks that the broker is there, keeps what it is given, and agrees about the time."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from redis import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from cli.doctor.finding import Finding, Status
from cli.doctor.timing import clock_finding
from cli.stack.broker import answers, broker_url, server_binary
from cli.stack.home import Home
from config.broker import celery_settings, without_password
from config.settings import Settings
from core.errors import RegattaError
from core.messages import QUEUES
from scheduler.doorbell import Doorbell

_ANSWER_SECONDS = 5.0
_OLDEST = (6, 2)  # the oldest server that kombu's commands are known to work with
_MEND = "start it, or correct REGATTA_BROKER_URL"


def check_broker(settings: Settings) -> Iterator[Finding]:
    """Yield what was found; nothing is published."""
    url = settings.broker_url
    if url is None:
        home = Home(settings.home)
        if not (home.socket.exists() and answers(home.socket)):
            yield Finding("broker", Status.OK, f"own server, not running: {server_binary()}")
            return
        url = broker_url(home)
    if urlsplit(url).scheme in {"redis", "rediss", "redis+socket"}:
        yield from _redis(url)
    else:
        yield _any_broker(url)


def _redis(url: str) -> Iterator[Finding]:
    client = Redis.from_url(
        _redis_py_url(url), socket_timeout=_ANSWER_SECONDS, socket_connect_timeout=_ANSWER_SECONDS
    )
    try:
        before = time.time()
        seconds, micros = client.time()
        after = time.time()
        info: dict[str, Any] = client.info()
        snapshots = _snapshots(client)
    except AuthenticationError as error:
        mend = "put the server's password into REGATTA_BROKER_URL: redis://:password@host:port/0"
        yield Finding("broker", Status.FAILED, f"refuses us: {error}", mend)
        return
    except (RedisError, OSError) as error:
        said = f"{without_password(url)} cannot be used: {error}"
        yield Finding("broker", Status.FAILED, said, _MEND)
        return
    finally:
        client.close()
    yield _version(info)
    yield _eviction(info)
    yield _persistence(info, snapshots=snapshots)
    yield clock_finding("the broker", seconds + micros / 1e6, before, after)


def _version(info: dict[str, Any]) -> Finding:
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version", info["redis_version"]))
    if tuple(map(int, version.split(".")[:2])) < _OLDEST:
        mend = f"upgrade it to {'.'.join(map(str, _OLDEST))} or newer"
        return Finding("broker", Status.FAILED, f"{name} {version} is too old", mend)
    return Finding("broker", Status.OK, f"{name} {version} answers")


def _eviction(info: dict[str, Any]) -> Finding:
    policy = str(info.get("maxmemory_policy", "unknown"))
    if policy != "noeviction":
        return Finding(
            "broker eviction",
            Status.FAILED,
            f"maxmemory-policy is {policy}: a full server drops queues in silence",
            "set `maxmemory-policy noeviction` in its configuration",
        )
    return Finding("broker eviction", Status.OK, "noeviction")


def _persistence(info: dict[str, Any], *, snapshots: bool) -> Finding:
    if info.get("aof_enabled"):
        return Finding("broker persistence", Status.OK, "append-only file")
    if snapshots:
        return Finding("broker persistence", Status.OK, "snapshots")
    # Only a warning: the database knows what was queued, and the scheduler sends it again.
    return Finding(
        "broker persistence",
        Status.WARNING,
        "off: a restart empties every queue, and jobs wait until their messages are sent again",
        "set `appendonly yes` in its configuration",
    )


def _snapshots(client: "Redis") -> bool:
    try:
        return bool(client.config_get("save").get("save"))
    except ResponseError:
        return True  # a managed server that hides its configuration takes care of that itself


def _any_broker(url: str) -> Finding:
    doorbell = Doorbell(celery_settings(url))
    try:
        waiting = sum(doorbell.depth(queue) for queue in QUEUES)
    except RegattaError as error:
        return Finding("broker", Status.FAILED, str(error), _MEND)
    finally:
        doorbell.close()
    return Finding("broker", Status.OK, f"answers; {waiting} messages wait")


def _redis_py_url(url: str) -> str:
    """Return the URL of the same server for redis-py: Celery has its own scheme for sockets."""
    if not url.startswith("redis+socket://"):
        return url
    return f"unix://{unquote(url.removeprefix('redis+socket://'))}"
