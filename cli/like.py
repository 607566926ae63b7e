"""What a job takes over from another one: from its row, its manifest or a job file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from core import notices
from core.digests import Digests
from core.errors import UsageError
from core.job_file import SCHEDULE, SOURCE, SUFFIX, parse_job
from core.kinds import ShardKind
from core.layout import MANIFEST
from core.option import Kind
from core.options import JobOptions, ModelRef
from core.request import OPTIONS, JobRequest, Said
from core.selection import Selection
from core.tasks import DETECTOR, KEYPOINT
from core.toml import LARGEST_BYTES
from registry.known_models import is_shipped
from store.database import Database
from store.jobs import find_job, source_texts
from store.locations import open_store, split_location
from store.models import model_ref
from store.naming import naming
from store.tables import Model


@dataclass(frozen=True, slots=True)
class Inherited:
    """Sources and options, and the digests that results depend on, if there were results.

    `schedule` is the table of that name in a job file.
    """

    sources: tuple[str, ...]
    said: Said
    digests: Digests | None = None
    schedule: Mapping[str, Any] = field(default_factory=dict)


def like_job(db: Database, ref: str) -> Inherited:
    """Return what another job says: found by its id, a prefix of it, its name, or its manifest.

    Models are exactly those of that job. Its output is not taken over, nor is the job that it was
    compared with.

    Raises:
        UsageError: there is no such job.
        NewerError: a newer version wrote it.
    """
    if ref.lower().endswith(SUFFIX):
        return like_file(Path(ref))
    if ref.lower().endswith(".json") or "/" in ref:
        return _like_manifest(ref)
    job = db.read(lambda s: find_job(s, ref))
    if job.kind != ShardKind.INFER:
        raise UsageError(
            f"job {job.id} runs no model: it is of the kind {job.kind!r}",
            hint="name a job that `run` or `submit` made",
        )
    return _inherited(
        {
            "source": source_texts(job),
            "request": job.request,
            "model": job.model,
            "options": job.options,
            "selection": job.selection,
            "priority": job.priority,
            "tags": job.tags,
        }
    )


def like_file(path: Path) -> Inherited:
    """Return what a job file says.

    Raises:
        UsageError: it cannot be read, or says what it may not.
    """
    path = path.expanduser().absolute()
    try:
        with path.open("rb") as file:
            said = parse_job(file.read(LARGEST_BYTES + 1).decode("utf-8"), path.parent)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(
            f"the job file {path} cannot be read: {why}",
            hint="a source that ends in .toml is a job file (see docs/jobs.md)",
        ) from error
    except UsageError as error:
        raise UsageError(f"the job file {path}: {error}", hint=error.hint) from error
    schedule = said.pop(SCHEDULE, {})
    return Inherited(said.pop(SOURCE, ()), said, schedule=schedule)


def named(db: Database, said: Said) -> Said:
    """Return the same with models by name or absolute path where possible."""

    def name(model: str | ModelRef) -> str | ModelRef:
        known = db.read(lambda s: s.get(Model, model if isinstance(model, str) else model.name))
        if isinstance(model, str):
            path = Path(model).expanduser()
            return model if known is not None or not path.exists() else str(path.absolute())
        if known is not None and model_ref(known).digest == model.digest:
            return model.name
        if known is None and is_shipped(db, model):
            return model.name
        return model if model.parts else model.location

    return {
        key: (tuple(map(name, value)) if isinstance(value, tuple) else name(value))
        if OPTIONS[key].kind is Kind.MODEL
        else value
        for key, value in said.items()
    }


def _like_manifest(ref: str) -> Inherited:
    place = ref if ref.lower().endswith(".json") else f"{ref.rstrip('/')}/{MANIFEST}"
    try:
        folder, key = split_location(place)
        with naming(f"the manifest {place!r} cannot be read"):
            manifest = json.loads(open_store(folder).get(key))
        about = manifest["job"]
        asked = manifest.get("request")
        if asked is not None:  # a file from anywhere must neither tell anybody nor run commands
            asked = {name: value for name, value in asked.items() if name not in notices.OPTIONS}
        about = {"priority": about["priority"], "tags": about["tags"], "request": asked}
        return _inherited({**manifest, **about})
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{place!r} is not a job's manifest",
            hint=f"a job leaves {MANIFEST} in its output when it ends",
        ) from error


def _inherited(job: Mapping[str, Any]) -> Inherited:
    model, options = ModelRef.from_json(job["model"]), JobOptions.from_json(job["options"])
    selection = Selection.from_json(job["selection"])
    if job.get("request") is not None:
        said = dict(JobRequest.from_json(job["request"]).said)
    else:  # of a version that only kept what came of it
        said = _as_said(options, selection, job)
    for name in ("output", "detector", "since_job"):
        said.pop(name, None)
    # Ages and settings as they were then.
    if selection.since is not None:
        said["since"] = selection.since
    said |= {"max_pixels": options.limits.max_pixels}
    said |= {"max_item_bytes": options.limits.max_item_bytes}
    if options.drawing.annotate and options.drawing.picture_format != "png":
        said["jpeg_quality"] = options.drawing.jpeg_quality
    if options.planning.shard_items is not None:
        said["shard_items"] = options.planning.shard_items
    if options.planning.max_quarantined is not None:
        said["max_quarantined"] = options.planning.max_quarantined
    models = []
    for member in model.members:
        if _is_pair(member):
            said["detector"] = member.parts[DETECTOR]
            member = member.parts[KEYPOINT]  # noqa: PLW2901 - what was named
        models.append(member)
    said["model"] = tuple(models)
    source = job["source"]
    sources = (source,) if isinstance(source, str) else tuple(source)
    return Inherited(sources, said, Digests.of(model, options))


def _is_pair(model: ModelRef) -> bool:
    """Return whether a composed model is a keypoint model with its `--detector`."""
    if model.task != "keypoint" or model.parts.keys() != {DETECTOR, KEYPOINT} or model.settings:
        return False
    return model.name == f"{model.parts[KEYPOINT].name}+{model.parts[DETECTOR].name}"


def _as_said(options: JobOptions, selection: Selection, job: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is not the default, as if somebody had said it."""
    said = {
        each.name: getattr(group, each.name)
        for group in (selection, options.rows, options.drawing)
        for each in fields(group)
        if each.name != "jpeg_quality" and getattr(group, each.name) != each.default
    }
    if (slicing := said.pop("slicing", None)) is not None:
        said |= {"slice": (slicing.width, slicing.height)}
        said |= {"overlap": slicing.overlap, "merge": slicing.merge}
    return {**said, "priority": job["priority"], "tag": tuple(job["tags"])}
