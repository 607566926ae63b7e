"""Measures what jobs and models take up, and finds files to which nothing refers."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import BadInputError
from core.options import ModelRef
from store.database import Database
from store.jobs import list_jobs
from store.locations import open_store
from store.models import list_models, model_ref
from store.s3.location import is_s3


@dataclass(frozen=True, slots=True)
class Usage:
    """What lies in one place: its objects, and their bytes."""

    place: str
    objects: int
    size: int


def usage_of(location: str) -> Usage:
    """Return what lies below a directory or a prefix; nothing if there is none."""
    objects, size = 0, 0
    try:
        for info in open_store(location).list():
            objects, size = objects + 1, size + info.size
    except BadInputError as error:
        if error.reason != "source_missing":
            raise
    return Usage(location, objects, size)


def unreferenced_outputs(db: Database, objects: str) -> Iterator[Path]:
    """Yield the directories in the home of outputs that belong to no job.

    In a bucket none are looked for: other databases may have jobs there.
    """
    if is_s3(objects):
        return
    outputs = {job.output.rstrip("/") for job in db.read(list_jobs)}
    for folder in _folders(Path(objects.removeprefix("file://"))):
        if not any(f"{output}/".startswith(f"{folder}/") for output in outputs):
            yield folder


def unreferenced_models(db: Database, models: Path) -> Iterator[Path]:
    """Yield the downloaded models that are not registered and that no job runs."""
    refs = [ModelRef.from_json(job.model) for job in db.read(list_jobs)]
    refs += [model_ref(model) for model in db.read(list_models)]
    used = {Path(export.location) for ref in refs for export in ref.exports}
    for folder in _folders(models):
        if not any(place.is_relative_to(folder) for place in used):
            yield folder


def remove_folder(folder: Path) -> None:
    """Remove a directory and all that is in it."""
    shutil.rmtree(folder, ignore_errors=True)


def _folders(parent: Path) -> Iterator[Path]:
    """Yield the directories in a directory by name, without links and what is just being made."""
    if parent.is_dir():
        for path in sorted(parent.iterdir()):
            if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
                yield path
