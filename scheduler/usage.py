"""Measures what jobs and models take up, and finds files to which nothing refers."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from config.settings import Settings
from core.errors import BadInputError
from core.ids import is_id
from core.options import ModelRef
from scheduler.places import places_of_all, places_of_schedules, real_folder
from store.database import Database
from store.jobs import list_jobs
from store.locations import absolute, open_store
from store.models import list_models, model_ref
from store.s3.location import is_s3

_DIGEST = re.compile(r"[0-9a-f]{64}")
_SQLITE = "sqlite:///"


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


def unreferenced_outputs(db: Database, settings: Settings) -> Iterator[Path]:
    """Yield the directories in the home that were outputs, and are no job's any more.

    Places outside of the home are not looked into: other databases may have jobs there.
    """
    objects = settings.objects
    if is_s3(objects) or not _is_alone(settings, Path(absolute(objects))):
        return
    jobs = db.read(places_of_all)
    readers = [*jobs, *db.read(places_of_schedules)]
    ids = {job.job for job in jobs}  # whose outputs may have moved, with all of the home
    for folder in _folders(Path(absolute(objects))):
        place = real_folder(str(folder))
        if (
            is_id(folder.name)
            and folder.name not in ids
            and not any(
                job.output.startswith(place) or place.startswith(job.output) for job in jobs
            )
            and not any(reader.reads(place) for reader in readers)
        ):
            yield folder


def unreferenced_models(db: Database, settings: Settings) -> Iterator[Path]:
    """Yield the models downloaded into the home that nobody registered, and nothing runs."""
    if not _is_alone(settings, settings.models_directory):
        return
    refs = [ModelRef.from_json(job.model) for job in db.read(list_jobs)]
    refs += [model_ref(model) for model in db.read(list_models)]
    used = {real_folder(export.location) for ref in refs for export in ref.exports}
    for folder in _folders(settings.models_directory):
        place = real_folder(str(folder))
        if _DIGEST.fullmatch(folder.name) and not any(one.startswith(place) for one in used):
            yield folder


def remove_folder(folder: Path) -> bool:
    """Remove a directory and all that is in it; return whether it is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def _is_alone(settings: Settings, folder: Path) -> bool:
    """Return whether only the jobs of the home's own database can refer to a folder."""
    home = real_folder(str(settings.home))
    database = settings.database_url.removeprefix(_SQLITE)
    return (
        settings.database_url.startswith(_SQLITE)
        and real_folder(database).startswith(home)
        and real_folder(str(folder)).startswith(home)
    )


def _folders(parent: Path) -> Iterator[Path]:
    """Yield the directories in a directory by name, without links and what is just being made."""
    if parent.is_dir():
        for path in sorted(parent.iterdir()):
            if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
                yield path
