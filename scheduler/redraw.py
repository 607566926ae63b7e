"""Accepts a job that draws another one's pictures again, from its results and without inference.

As in `scheduler.submit`, all that can be checked without work is checked first.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from sqlalchemy.orm import Session

from core.errors import UsageError
from core.ids import new_id
from core.kinds import ShardKind
from core.option import options_of
from core.options import DrawOptions, JobOptions, ModelRef
from core.profile import ExecutionProfile
from core.request import OPTIONS, JobRequest, Said
from core.states import ENDED_JOBS, JobState
from core.tasks import DETECT, MASKS
from registry.heeding import effective_drawing, why_unheeded
from scheduler.dataset import locate
from scheduler.submit import usable_output
from store import references
from store.database import Database
from store.settling import parts_of
from store.tables import Job

ANNOTATE = "annotate"

DRAWING = tuple(each for each in options_of(DrawOptions) if each.key != ANNOTATE)
"""The options for drawing that a redrawing takes: it always draws."""

ABOUT = tuple(OPTIONS[name] for name in ("output", "name", "priority", "tag"))
"""What else may be said of it."""


@dataclass(frozen=True, slots=True)
class Redrawing:
    """A checked wish to draw the pictures of a job again: what its own job is to be.

    It draws `parts` parts with `items` items. `said` is what was said for it, and nothing else.
    """

    old: Job
    said: Said
    options: JobOptions
    effective: dict[str, Any] | None
    parts: int
    items: int


def check(db: Database, old: Job, said: Said) -> Redrawing:
    """Check what was said of a job that is to be drawn again, but its output; nothing is written.

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
    parts = db.read(lambda s: parts_of(s, old.id))
    if not parts:
        raise UsageError(f"job {old.id} has no results to draw: it ended as {old.state}")
    locate(old.source)
    JobRequest(old.source, said).check()
    model = ModelRef.from_json(old.model)
    traits = {one.name: _traits(one, old) for one in model.members}
    present = frozenset().union(*traits.values())
    for name in said:
        if (why := why_unheeded(OPTIONS[name], present, model.members)) is not None:
            raise UsageError(why, hint=f"leave {OPTIONS[name].flag} out")
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
    """Write the job, which then waits to be planned; `objects` is where outputs lie by default.

    Raises:
        UsageError: its output cannot be used; nothing was written.
    """
    job_id = new_id(rng or random.SystemRandom())
    output = redrawing.said.get("output") or f"{objects.rstrip('/')}/{job_id}"
    output = usable_output(db, output, redrawing.old.source, job_id)
    return db.write(lambda s: _write(s, redrawing, job_id, output, db.now(s)))


def _traits(model: ModelRef, old: Job) -> frozenset[str]:
    """What options for drawing may be about, as the job says it: its models may be gone by now.

    Where it says nothing, as it drew no pictures or is of an earlier version, a detector may well
    have given masks.
    """
    said = (old.effective or {}).get(model.name, {})
    has_masks = "alpha" in said or "jpeg_quality" not in said
    return frozenset({model.task} | ({MASKS} if model.task == DETECT and has_masks else set()))


def _options(old: Job, said: Said) -> JobOptions:
    options = JobOptions.from_json(old.options)
    drawing = {each.key: said[each.key] for each in DRAWING if each.key in said}
    quality = options.drawing.jpeg_quality
    if old.profile is not None:  # which its pictures were made with
        quality = ExecutionProfile.from_json(old.profile).jpeg_quality
    return options.but(**{ANNOTATE: True, "jpeg_quality": quality, **drawing})


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
    """What was asked of the old job, and what was said since."""
    if old.request is None:
        return None
    asked = JobRequest.from_json(old.request)
    for name in ("output", ANNOTATE):
        asked = asked.without(name)
    return asked.but(**said).to_json()


def _write(session: Session, redrawing: Redrawing, job_id: str, output: str, now: float) -> Job:
    # A commit whose answer was lost is asked for again: the row may be there by now.
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
        )
        session.add(job)
        session.flush()
        references.add(session, job_id, old.id, references.REDRAWS)
    return job
