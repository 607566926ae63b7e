"""Checks that results can be written, and that there is room for them."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from cli.doctor.finding import Finding, Status
from config.settings import Settings
from core.errors import RegattaError
from store.files import FileObjects
from store.locations import open_store, split_location

_LOW_DISK_BYTES = 2 * 10**9
_NO_DISK_BYTES = 2 * 10**8


def check_objects(settings: Settings) -> Iterator[Finding]:
    """Write, read and delete an object where jobs without `--output` write."""
    store = open_store(settings.objects)
    key, data = f".regatta-doctor-{uuid4().hex}", b"regatta"
    mend = "make it writable, or set REGATTA_OBJECTS"
    try:
        store.put(key, data)
        intact = store.get(key) == data
        store.delete(key)
    except RegattaError as error:
        yield Finding("objects", Status.FAILED, f"{settings.objects}: {error}", mend)
        return
    if not intact or store.exists(key):
        yield Finding("objects", Status.FAILED, f"{settings.objects} loses data", mend)
    else:
        yield Finding("objects", Status.OK, f"{settings.objects}: written, read, deleted")


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Check the free space in the home, and where the results are if that is a directory."""
    folders = [settings.home]
    if isinstance(open_store(settings.objects), FileObjects):
        folders.append(Path(os.path.join(*split_location(settings.objects))))  # noqa: PTH118
    free = min(shutil.disk_usage(_existing(folder)).free for folder in folders)
    status = Status.OK
    if free < _LOW_DISK_BYTES:
        status = Status.FAILED if free < _NO_DISK_BYTES else Status.WARNING
    mend = "free some space, or set REGATTA_HOME or REGATTA_OBJECTS elsewhere"
    found = f"{free / 1e9:.1f} GB free"
    yield Finding("disk", status, found, None if status is Status.OK else mend)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
