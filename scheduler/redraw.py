"""Accepts a job that redraws another one's pictures, from its results and without inference.

As in `scheduler.submit`, all that can be checked without work is checked first.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from sqlalchemy.orm import Session

from core import notices
from core.errors import UsageError
from core.ids import new_id
from core.kinds import ShardKind
from core.option import options_of
from core.options import DrawOptions, JobOptions, ModelRef, annotating
from core.profile import ExecutionProfile
from core.request import OPTIONS, JobRequest, Said
from core.sample import Sample
from core.states import ENDED_JOBS, JobState
from core.tasks import DETECT, MASKS
from registry.chosen_model import find_models
from registry.heeding import effective_drawing, why_not_beside, why_unheeded
from registry.labels import check_kept, meant_labels
from scheduler.dataset import locate_all
from scheduler.submit import usable_output
from store import references
from store.database import Database
from store.jobs import source_texts, sources_of
from store.settling import parts_of
from store.tables import Job

ANNOTATE = "annotate"

DRAWING = options_of(DrawOptions)
"""The options for drawing, which a redrawing takes."""

ABOUT = tuple(OPTIONS[name] for name in ("output", "name", "priority", "tag", *notices.OPTIONS))
"""What else may be said of it."""


@dataclass(frozen=True, slots=True)
class Redrawing:
    """A checked request to redraw a job's pictures: what the new job is to be.

    It draws `parts` parts with `items` items. `said` holds only what was said for it.
    """

    old: Job
    said: Said
    options: JobOptions
    effective: dict[str, Any] | None
    parts: int
    items: int


def check(db: Database, old: Job, said: Said) -> Redrawing:
    """Check a request to redraw a job, except its output; nothing is written.

    Raises:
        UsageError: it has not ended or has no results, its pictures' source cannot be read, or an
            option means nothing to its models.
        NewerError: a newer version wrote it.
    """
    if old.state not in ENDED_JOBS:
        raise UsageError(
            f"job {old.id} has not ended: it is {old.state}",
            hint=f"wait for it (`regatta status {old.id} --watch`), or cancel it first",
        )
    if old.carried:
        raise UsageError(
            f"job {old.id} carries results of earlier jobs: a new job draws all of them",
            hint=f"`regatta run --like {old.id} --since-job {old.id}` with the options for drawing",
        )
    parts = db.read(lambda s: parts_of(s, old.id))
    if not parts:
        raise UsageError(f"job {old.id} has no results to draw: it ended as {old.state}")
    locate_all(_sources(old))
    JobRequest(_sources(old), said).check()
    if said.get(ANNOTATE, True) is False:
        raise UsageError("redrawing without pictures does nothing", hint="leave --annotate out")
    model = ModelRef.from_json(old.model)
    traits = {one.name: _traits(one, old) for one in model.members}
    present = frozenset().union(*traits.values())
    held = JobOptions.from_json(old.options).drawing
    beside = {"picture_format": held.picture_format, **said}
    for name in said:
        each = OPTIONS[name]
        why = why_unheeded(each, present, model.members) or why_not_beside(each, beside)
        if why is not None:
            raise UsageError(why, hint=f"leave {OPTIONS[name].flag} out")
    if "redact" in said:
        said = {**said, "redact": _redacted(db, old, model, said["redact"])}
    options = _options(old, said)
    return Redrawing(
        old=old,
        said=said,
        options=options,
        effective=_effective(old, traits, options.drawing),
        parts=len(parts),
        items=sum(part.items for part in parts),
    )


def accept(
    db: Database, redrawing: Redrawing, objects: str, *, rng: random.Random | None = None
) -> Job:
    """Write the job, which then waits to be planned; `objects` is the default place for outputs.

    Raises:
        UsageError: its output cannot be used; nothing was written.
    """
    job_id = new_id(rng or random.SystemRandom())
    output = redrawing.said.get("output") or f"{objects.rstrip('/')}/{job_id}"
    sources = sources_of(redrawing.old).values()
    output = usable_output(db, output, sources, job_id)
    return db.write(lambda s: _write(s, redrawing, job_id, output, db.now(s)))


def _sources(old: Job) -> tuple[str, ...]:
    texts = source_texts(old)
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _traits(model: ModelRef, old: Job) -> frozenset[str]:
    """Return the traits that drawing options may be about, as the job's row tells them.

    The models may be gone by now. If the row says nothing, because the job drew no pictures or is
    of an earlier version, a detector is assumed to have given masks.
    """
    said = (old.effective or {}).get(model.name, {})
    has_masks = "alpha" in said or "jpeg_quality" not in said
    return frozenset({model.task} | ({MASKS} if model.task == DETECT and has_masks else set()))


def _redacted(db: Database, old: Job, model: ModelRef, asked: Sequence[str]) -> tuple[str, ...]:
    """Return the labels to blur. They must be the models' own: a slip would blur nothing.

    Raises:
        UsageError: a label is unknown, its rows were left out, or the models' files are gone.
    """
    try:
        members = find_models(db, model.members)
    except UsageError as error:
        raise UsageError(
            f"--redact needs the models' files, to check the labels: {error}", hint=error.hint
        ) from error
    labels = meant_labels(OPTIONS["redact"], asked, members)
    check_kept({"classes": JobOptions.from_json(old.options).rows.classes, "redact": labels})
    return labels


def _options(old: Job, said: Said) -> JobOptions:
    options = JobOptions.from_json(old.options)
    drawing = {each.key: said[each.key] for each in DRAWING if each.key in said}
    if ANNOTATE in said or not options.drawing.annotate:
        drawing |= annotating(said.get(ANNOTATE, True))
    quality = options.drawing.jpeg_quality
    if old.profile is not None:  # under which its pictures were made
        quality = ExecutionProfile.from_json(old.profile).jpeg_quality
    return options.but(**{"jpeg_quality": quality, **drawing})


def _effective(
    old: Job, traits: Mapping[str, frozenset[str]], drawing: DrawOptions
) -> dict[str, Any] | None:
    if old.effective is None:
        return None
    return {
        name: {**said, **effective_drawing(traits[name], drawing)}
        for name, said in old.effective.items()
    }


def _request(old: Job, said: Said) -> dict[str, Any] | None:
    """Return what was asked of the old job, with what was said since."""
    if old.request is None:
        return None
    asked = JobRequest.from_json(old.request)
    for name in ("output", *notices.OPTIONS):
        asked = asked.without(name)
    if not isinstance(asked.said.get(ANNOTATE), Sample):
        asked = asked.without(ANNOTATE)
    return asked.but(**said).to_json()


def _write(session: Session, redrawing: Redrawing, job_id: str, output: str, now: float) -> Job:
    # A commit whose answer was lost is repeated: the row may be there already.
    job = session.get(Job, job_id)
    if job is None:
        old, said = redrawing.old, redrawing.said
        job = Job(
            id=job_id,
            name=said.get("name") or old.name,
            kind=ShardKind.RENDER.value,
            task=old.task,
            source=old.source,
            output=output,
            model=old.model,
            networks=old.networks,
            options=redrawing.options.to_json(),
            selection=old.selection,
            request=_request(old, said),
            effective=redrawing.effective,
            tags=list(said.get("tag", old.tags)),
            version=version("regatta"),
            state=JobState.PLANNING,
            priority=said.get("priority", old.priority),
            created_at=now,
            notify=notices.notices_of(said),
        )
        session.add(job)
        session.flush()
        references.add(session, job_id, old.id, references.REDRAWS)
    return job
