"""The directory that models are brought to: each lies under its digest, whole or not at all."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import UsageError
from vision.exports.export import export_digest, is_export

_INCOMING = ".incoming-"
_ABANDONED_SECONDS = 24 * 3600.0


@contextmanager
def incoming(models: Path) -> Iterator[Path]:
    """A directory beside the models' places, so that a rename is enough; gone at the end.

    Raises:
        UsageError: it can't be made, or what is done in it meets a full disk.
    """
    try:
        models.mkdir(parents=True, exist_ok=True)
        _forget_abandoned(models)
        folder = Path(tempfile.mkdtemp(prefix=_INCOMING, dir=models))
    except OSError as error:
        raise UsageError(
            f"models cannot be brought to {models}: {error.strerror}",
            hint="set REGATTA_MODELS_DIRECTORY to a directory that you can write",
        ) from error
    try:
        yield folder
    except OSError as error:
        raise UsageError(
            f"the model cannot be written to {models}: {error.strerror or error}",
            hint="see that the disk is not full",
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _forget_abandoned(models: Path) -> None:
    """Remove what commands that were killed left behind."""
    for folder in models.glob(f"{_INCOMING}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def shelve(export: Path, models: Path, digest: str) -> Path:
    """Move an export to its place, unless it is there already, whole; return where it lies.

    `export` has to be in a directory of `incoming`.
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
    except OSError:  # somebody else brought it meanwhile
        known = _present(place)
        if known is None:
            raise
        return known
    return place / export.name


def _is(export: Path, digest: str) -> bool:
    """Return whether an export is whole, and the one of this digest."""
    try:
        return export_digest(export) == digest
    except UsageError:
        return False


def _present(place: Path) -> Path | None:
    """Return the directory of the model that lies at a place, if any does."""
    if not place.is_dir():
        return None
    return next((path for path in place.iterdir() if is_export(path)), None)
