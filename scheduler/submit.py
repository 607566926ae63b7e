"""Accepts a job: checks everything that can be checked without work, then writes one row.

A refused request costs nothing; an accepted job is the scheduler's from then on.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, Self

from sqlalchemy import select
from sqlalchemy.orm import Session

from config.settings import Settings
from core.batching import NetworkTraits
from core.errors import UsageError
from core.ids import new_id
from core.layout import ATTEMPTS, MANIFEST
from core.notices import notices_of
from core.options import JobOptions, ModelRef
from core.request import JobRequest
from core.selection import Selection
from core.sources import Source, SourceKind
from core.states import JobState
from registry.chosen_model import Finder, complete_models, find_models
from registry.heeding import effective, heeded
from registry.labels import labelled
from scheduler.dataset import Dataset, locate, locate_all
from scheduler.places import real_folder
from scheduler.since import since
from store import references
from store.database import Database
from store.locations import open_store
from store.naming import naming
from store.tables import Job


@dataclass(frozen=True, slots=True)
class JobDefaults:
    """What the settings say about everything that a request leaves open.

    `objects` is the location under which a job without an output gets one of its own.
    """

    objects: str
    max_pixels: int
    max_item_bytes: int
    jpeg_quality: int
    batch_size: int | None = None
    shard_items: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what the settings say about jobs."""
        return cls(
            objects=settings.objects,
            max_pixels=settings.max_pixels,
            max_item_bytes=settings.max_item_bytes,
            jpeg_quality=settings.jpeg_quality,
            batch_size=settings.batch_size,
            shard_items=settings.shard_items,
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked request: what is settled about its job before there is one.

    `effective` are the values that hold for each model (`registry.heeding`). `dropped` names
    inherited options that nothing in the job heeds, and says why; `request` is without them.
    `since` is the id of the job whose results are taken over where nothing has changed.
    """

    request: JobRequest
    name: str
    dataset: Dataset
    model: ModelRef
    networks: Mapping[str, NetworkTraits]
    options: JobOptions
    effective: dict[str, Any]
    dropped: tuple[str, ...]
    since: str | None = None

    @property
    def selection(self) -> Selection:
        """Which entries become items; ages count back from now."""
        return replace(self.request.selection(), sources=self.dataset.several, since_job=self.since)


def submit(
    db: Database,
    request: JobRequest,
    defaults: JobDefaults,
    *,
    rng: random.Random | None = None,
) -> Job:
    """Check a request and write its job, which then waits to be planned.

    Raises:
        UsageError: the request cannot be carried out as it stands; nothing was written.
    """
    return accept(db, check(db, request, defaults), defaults, rng=rng)


def check(
    db: Database, request: JobRequest, defaults: JobDefaults, *, find: Finder | None = None
) -> Draft:
    """Check everything about a request except its output, and write nothing.

    `find` finds the models (`registry.chosen_model`), in their files unless it is said.

    Raises:
        UsageError: the request cannot be carried out as it stands.
    """
    request.check()
    dataset = locate_all(request.sources)
    found = find_models(db, request.terms.model, find=find)
    request, dropped = heeded(request, found, {source.kind for source in dataset.sources})
    chosen = complete_models(db, found, detector=request.terms.detector, find=find)
    request = labelled(request, chosen.members)
    if (earlier := since(db, request)) is not None:
        said = {**request.said, "since_job": earlier.id}  # names find other jobs tomorrow
        request = replace(request, said=said)
    options = request.options(
        max_pixels=defaults.max_pixels,
        max_item_bytes=defaults.max_item_bytes,
        jpeg_quality=defaults.jpeg_quality,
        shard_items=defaults.shard_items,
        batch_size=defaults.batch_size,
    )
    return Draft(
        request=request,
        name=request.terms.name or dataset.name,
        dataset=dataset,
        model=chosen.ref,
        networks=chosen.networks,
        options=options,
        effective=effective(chosen, options),
        dropped=tuple(dropped),
        since=None if earlier is None else earlier.id,
    )


def accept(
    db: Database, draft: Draft, defaults: JobDefaults, *, rng: random.Random | None = None
) -> Job:
    """Write the job of a checked request, which then waits to be planned.

    Raises:
        UsageError: its output cannot be used; nothing was written.
    """
    job_id = new_id(rng or random.SystemRandom())
    job = _accepted(db, draft, defaults, job_id, lambda _: True)
    assert job is not None
    return job


def accept_as(
    db: Database,
    draft: Draft,
    defaults: JobDefaults,
    job_id: str,
    *,
    confirm: Callable[[Session], bool],
) -> Job | None:
    """Write the job of a checked request under an id that was chosen before.

    It may be repeated. `confirm` is asked in the transaction that writes the job; if it says no,
    there is none.

    Raises:
        UsageError: its output cannot be used; nothing was written.
    """
    job = db.read(lambda s: s.get(Job, job_id))
    return job or _accepted(db, draft, defaults, job_id, confirm)


def _accepted(
    db: Database,
    draft: Draft,
    defaults: JobDefaults,
    job_id: str,
    confirm: Callable[[Session], bool],
) -> Job | None:
    output = draft.request.terms.output or f"{defaults.objects.rstrip('/')}/{job_id}"
    output = usable_output(db, output, draft.dataset.sources, job_id)

    def write(session: Session) -> Job | None:
        # A commit whose answer was lost is repeated: the row may be there already.
        job = session.get(Job, job_id)
        if job is None and confirm(session):
            job = _write(session, draft, job_id, output, db.now(session))
        return job

    return db.write(write)


def usable_output(db: Database, output: str, sources: Iterable[Source], job_id: str) -> str:
    """Return the output with an absolute path, after a test write.

    Raises:
        UsageError: it cannot be used.
        BlockedError, RetryableError: its store is away or full, or may not be written.
    """
    place = locate_output(output)
    walked = [one for one in sources if one.kind in {SourceKind.FOLDER, SourceKind.GLOB}]
    if any(real_folder(place).startswith(real_folder(one.root)) for one in walked):
        raise UsageError(
            f"the output {place!r} lies in the source: its pictures would become items",
            hint="name an --output elsewhere",
        )
    taken = db.read(lambda s: s.scalar(select(Job.id).where(Job.output == place).limit(1)))
    store = open_store(place)
    probe = f"{ATTEMPTS}probe-{job_id}"
    with naming(f"the output {place!r} cannot be written"):
        if taken or store.exists(MANIFEST):
            raise UsageError(
                f"the output {place!r} already belongs to {f'job {taken}' if taken else 'a job'}",
                hint="name another --output, or leave it out",
            )
        store.put(probe, b"")
        store.delete(probe)
    return place


def locate_output(output: str) -> str:
    """Return an output as an absolute path.

    Raises:
        UsageError: it is not a location.
    """
    return locate(f"{output.rstrip('/')}/", must_exist=False).source.rstrip("/")


def _write(session: Session, draft: Draft, job_id: str, output: str, now: float) -> Job:
    terms = draft.request.terms
    job = Job(
        id=job_id,
        name=draft.name,
        task=draft.model.queue,
        source=draft.dataset.source,
        output=output,
        model=draft.model.to_json(),
        networks={digest: one.to_json() for digest, one in draft.networks.items()},
        options=draft.options.to_json(),
        selection=draft.selection.to_json(),
        request=replace(draft.request, sources=draft.dataset.texts).to_json(),
        effective=draft.effective,
        tags=list(terms.tag),
        version=version("regatta"),
        state=JobState.PLANNING,
        priority=terms.priority,
        created_at=now,
        since_job=draft.since,
        notify=notices_of(draft.request.said),
    )
    session.add(job)
    session.flush()
    if draft.since is not None:
        references.add(session, job_id, draft.since, references.COMPARES)
    return job
