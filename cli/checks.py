"""What `doctor` looks at: each check says what it found, or how to mend what is wrong."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from cli.broker import answers, server_binary
from cli.home import Home
from cli.schema import look
from cli.session import live_for
from config.broker import celery_settings
from config.settings import Settings
from core.errors import RegattaError
from core.messages import QUEUES
from scheduler.doorbell import Doorbell
from store import processes
from store.database import Database
from store.database_url import redacted
from store.files import FileObjects
from store.locations import open_store, split_location

_PADDLE_SECONDS = 120
_LOW_DISK_BYTES = 2 * 10**9
_PADDLE = (
    "import json, paddle; print(json.dumps({'version': paddle.__version__, "
    "'gpu': paddle.device.is_compiled_with_cuda()}))"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """`ok` is None where there was nothing to check; `mend` says what to do if it is False."""

    check: str
    ok: bool | None
    found: str
    mend: str | None = None


def examine(settings: Settings) -> list[Finding]:
    """Run every check; a check that cannot be made is a finding like any other."""
    checks: list[tuple[str, Callable[[Settings], Finding]]] = [
        ("database", _database),
        ("broker", _broker),
        ("objects", _objects),
        ("disk", _disk),
        ("paddle", _paddle),
        ("processes", _processes),
    ]
    return [_try(name, check, settings) for name, check in checks]


def _try(name: str, check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    try:
        return check(settings)
    except RegattaError as error:
        return Finding(name, ok=False, found=str(error), mend=error.hint)


def _database(settings: Settings) -> Finding:
    url = redacted(settings.database_url)
    path = Path(settings.database_url.removeprefix("sqlite:///"))
    if settings.database_url.startswith("sqlite:") and not path.exists():
        return Finding("database", ok=None, found=f"{url} is made by the first command")
    revision = look(settings.database_url)
    if not revision.is_current:
        what = f"at revision {revision.name}" if revision.name else "without tables"
        return Finding("database", ok=False, found=f"{url} is {what}", mend="regatta db upgrade")
    return Finding("database", ok=True, found=f"{url} is at revision {revision.name}")


def _broker(settings: Settings) -> Finding:
    if settings.broker_url is None:
        home = Home(settings.home)
        if home.socket.exists() and answers(home.socket):
            return Finding("broker", ok=True, found=f"own server answers at {home.socket}")
        return Finding("broker", ok=True, found=f"own server, not running: {server_binary()}")
    doorbell = Doorbell(celery_settings(settings.broker_url))
    try:
        waiting = sum(doorbell.depth(queue) for queue in QUEUES)
    except RegattaError as error:
        mend = "start it, or correct REGATTA_BROKER_URL"
        return Finding("broker", ok=False, found=str(error), mend=mend)
    finally:
        doorbell.close()
    return Finding("broker", ok=True, found=f"answers; {waiting} messages wait")


def _objects(settings: Settings) -> Finding:
    store = open_store(settings.objects)
    key, data = f".regatta-doctor-{uuid4().hex}", b"regatta"
    mend = "see that the directory can be written, or set REGATTA_OBJECTS"
    try:
        store.put(key, data)
        intact = store.get(key) == data
        store.delete(key)
    except RegattaError as error:
        return Finding("objects", ok=False, found=f"{settings.objects}: {error}", mend=mend)
    if not intact or store.exists(key):
        return Finding("objects", ok=False, found=f"{settings.objects} loses data", mend=mend)
    return Finding("objects", ok=True, found=f"{settings.objects}: written, read, deleted")


def _disk(settings: Settings) -> Finding:
    store = open_store(settings.objects)
    folders = [settings.home]
    if isinstance(store, FileObjects):
        folders.append(Path(os.path.join(*split_location(settings.objects))))  # noqa: PTH118
    free = min(shutil.disk_usage(_existing(folder)).free for folder in folders)
    return Finding(
        "disk",
        ok=free >= _LOW_DISK_BYTES,
        found=f"{free / 1e9:.1f} GB free",
        mend="free some space, or set REGATTA_HOME or REGATTA_OBJECTS elsewhere",
    )


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _paddle(_settings: Settings) -> Finding:
    try:
        result = subprocess.run(
            [sys.executable, "-P", "-c", _PADDLE],
            capture_output=True,
            text=True,
            timeout=_PADDLE_SECONDS,
            check=False,
        )
        answer = json.loads(result.stdout.strip().rpartition("\n")[2])
    except subprocess.TimeoutExpired:
        return Finding("paddle", ok=False, found="its import hangs", mend="reinstall paddlepaddle")
    except ValueError:
        last = result.stderr.strip().rpartition("\n")[2]
        return Finding(
            "paddle",
            ok=False,
            found=f"cannot be imported: {last}",
            mend="pip install paddlepaddle==3.2.2",
        )
    gpu = "with GPU support" if answer["gpu"] else "for CPUs"
    version = str(answer["version"])
    # 3.3 fails under oneDNN on every model with an interpolation, and is slow without.
    known_bad = version.startswith("3.3.") and not answer["gpu"]
    return Finding(
        "paddle",
        ok=not known_bad,
        found=f"paddlepaddle {version}, {gpu}",
        mend="pip install paddlepaddle==3.2.2: 3.3 fails with oneDNN" if known_bad else None,
    )


def _processes(settings: Settings) -> Finding:
    path = Path(settings.database_url.removeprefix("sqlite:///"))
    if settings.database_url.startswith("sqlite:") and not path.exists():
        return Finding("processes", ok=None, found="no database yet")
    if not look(settings.database_url).is_current:
        return Finding("processes", ok=None, found="the database is not migrated")
    db = Database(settings.database_url)
    try:
        alive = {
            role: db.read(
                lambda s, role=role: processes.live(  # type: ignore[misc]
                    s, role, now=db.now(s), within=live_for(settings)
                )
            )
            for role in (processes.SCHEDULER, processes.WORKER)
        }
    finally:
        db.close()
    served = {queue for worker in alive[processes.WORKER] for queue in worker.queues}
    found = ", ".join(f"{len(found)} {role}" for role, found in alive.items())
    missing = [queue for queue in QUEUES if queue not in served]
    if missing:
        found += f"; nobody serves {', '.join(missing)}"
    # Nothing runs between two embedded runs, and that is as it should be.
    return Finding("processes", ok=None if missing else True, found=found)
