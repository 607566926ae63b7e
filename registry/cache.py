"""The directory for downloaded models: each lies under its digest, complete or not at all."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import RetryableError, UsageError
from store.file_errors import no_room
from vision.exports.export import export_digest, is_export

_INCOMING = ".incoming-"
_ABANDONED_SECONDS = 60.0  # a directory that was just made may not be locked yet


@contextmanager
def incoming(models: Path) -> Iterator[Path]:
    """Provide a temporary directory on the models' disk, so that models can be moved by a rename.

    Raises:
        UsageError: it can't be made.
        RetryableError: the disk is full, or fills up while it is in use.
    """
    try:
        models.mkdir(parents=True, exist_ok=True)
        forget_abandoned(models)
        folder = Path(tempfile.mkdtemp(prefix=_INCOMING, dir=models))
        lock = _locked(folder)
    except OSError as error:
        raise no_room(models, error) or UsageError(
            f"models cannot be downloaded to {models}: {error.strerror}",
            hint="set REGATTA_MODELS_DIRECTORY to a directory that you can write",
        ) from error
    try:
        yield folder
    except OSError as error:
        raise RetryableError(
            f"the model cannot be written to {models}: {error.strerror or error}",
            hint="check that the disk is not full",
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def forget_abandoned(models: Path) -> None:
    """Remove what killed commands left behind: whoever uses a directory holds its lock."""
    for folder in models.glob(f"{_INCOMING}*"):
        with suppress(OSError):  # in use
            if time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS:
                lock = _locked(folder)
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _locked(folder: Path) -> int:
    """Lock a directory, which the kernel unlocks when this process ends; return the descriptor.

    Raises:
        OSError: somebody else has locked it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def keep(export: Path, models: Path, digest: str) -> Path:
    """Move an export to its place, unless it is there already and intact; return the place.

    `export` has to be in a directory from `incoming`.
    """
    place = models / digest
    if place.exists():
        known = _present(place)
        if known is not None and _is(known, digest):
            return known
        # Somebody damaged it: jobs refuse it as it is. It goes in one step, as it came.
        shutil.rmtree(place.rename(export.parent / f"{_INCOMING}damaged"))
    staged = export.parent / f"{_INCOMING}{digest}"
    staged.mkdir()
    target = staged / export.name
    export.rename(target)
    try:
        staged.rename(place)
    except OSError:  # somebody else downloaded it meanwhile
        known = _present(place)
        if known is None:
            raise
        return known
    return place / export.name


def _is(export: Path, digest: str) -> bool:
    """Return whether an export is intact, and the one of this digest."""
    try:
        return export_digest(export) == digest
    except UsageError:
        return False


def _present(place: Path) -> Path | None:
    """Return the directory of the model at a place, or None if there is none."""
    if not place.is_dir():
        return None
    return next((path for path in place.iterdir() if is_export(path)), None)
