"""Accepts a job: everything that can be checked without work is checked, then one row is written.

What is refused here costs nobody anything. What is accepted is the scheduler's from then on.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.batching import NetworkTraits
from core.errors import BadInputError, FatalError, RetryableError, UsageError
from core.ids import new_id
from core.layout import ATTEMPTS, MANIFEST
from core.options import JobOptions, ModelRef
from core.selection import Selection
from core.slicing import Slicing
from core.sources import SourceKind, parse_source
from core.states import JobState
from registry.chosen_model import choose_models
from scheduler.dataset import locate
from store.database import Database
from store.locations import open_store
from store.tables import Job

PRIORITIES = range(10)
"""A job's weight is two to the power of its priority."""

DEFAULT_PRIORITY = 5
DEFAULT_ALPHA = 0.5
LARGEST_BATCH = 1024
LEAST_TILE = 32
MOST_OVERLAP = 0.9
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job as a person asks for it. None leaves the choice to the settings or the model.

    `more_models` run beside `model`; `detector` finds the people for those that need that.
    """

    source: str
    model: str
    output: str | None = None
    name: str | None = None
    selection: Selection = field(default_factory=Selection)
    threshold: float | None = None
    annotate: bool = True
    alpha: float | None = None
    priority: int = DEFAULT_PRIORITY
    tags: tuple[str, ...] = ()
    shard_items: int | None = None
    batch_size: int | None = None
    detector: str | None = None
    slicing: Slicing | None = None
    background: tuple[int, int, int] | None = None
    polygons: bool = False
    more_models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobDefaults:
    """What the settings say where a request says nothing.

    `objects` is the location under which a job without an output gets one of its own.
    """

    objects: str
    max_pixels: int
    max_item_bytes: int
    jpeg_quality: int
    batch_size: int | None = None
    shard_items: int | None = None


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
    draft = check(db, request, defaults)
    job_id = new_id(rng or random.SystemRandom())
    output = request.output or f"{defaults.objects.rstrip('/')}/{job_id}"
    output = _usable_output(db, output, draft.source, job_id)
    return db.write(lambda s: _write(s, draft, request, job_id, output, db.now(s)))


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked request: what of its job is settled before there is one."""

    name: str
    source: str
    model: ModelRef
    networks: Mapping[str, NetworkTraits]
    options: JobOptions


def check(db: Database, request: JobRequest, defaults: JobDefaults) -> Draft:
    """Check everything about a request but its output; nothing is written.

    Raises:
        UsageError: the request cannot be carried out as it stands.
    """
    _check_numbers(request)
    dataset = locate(request.source)
    _check_slicing(request)
    names = (request.model, *request.more_models)
    chosen = choose_models(db, names, detector=request.detector)
    if request.slicing is not None and not chosen.has_detector:
        raise UsageError(
            f"model {chosen.ref.name!r} cannot be sliced: only detectors look at tiles",
            hint="leave --slice out",
        )
    return Draft(
        name=_one_line("name", request.name) if request.name else dataset.name,
        source=dataset.source,
        model=chosen.ref,
        networks=chosen.networks,
        options=JobOptions.of(
            max_pixels=defaults.max_pixels,
            max_item_bytes=defaults.max_item_bytes,
            jpeg_quality=defaults.jpeg_quality,
            threshold=request.threshold,
            annotate=request.annotate,
            alpha=DEFAULT_ALPHA if request.alpha is None else request.alpha,
            shard_items=request.shard_items or defaults.shard_items,
            batch_size=request.batch_size or defaults.batch_size,
            slicing=request.slicing,
            background=request.background,
            polygons=request.polygons,
        ),
    )


def _check_numbers(request: JobRequest) -> None:
    selection = request.selection
    numbers: list[tuple[str, float | None, Callable[[float], bool], str]] = [
        ("--threshold", request.threshold, lambda n: 0 <= n <= 1, "between 0 and 1"),
        ("--alpha", request.alpha, lambda n: 0 <= n <= 1, "between 0 and 1"),
        ("--priority", request.priority, lambda n: n in PRIORITIES, "0 to 9"),
        ("--shard-items", request.shard_items, lambda n: n >= 1, "at least 1"),
        ("--batch-size", request.batch_size, lambda n: 1 <= n <= LARGEST_BATCH, "1 to 1024"),
        ("--limit", selection.limit, lambda n: n >= 1, "at least 1"),
        ("--min-size", selection.min_size, lambda n: n >= 0, "at least 0 bytes"),
        ("--max-size", selection.max_size, lambda n: n >= 0, "at least 0 bytes"),
    ]
    for option, number, is_sane, sane in numbers:
        if number is not None and not is_sane(number):
            raise UsageError(f"{option} must be {sane}, not {number}")
    if (selection.min_size or 0) > (selection.max_size or float("inf")):
        raise UsageError("--min-size is above --max-size: nothing would be left")
    for tag in request.tags:
        _one_line("tag", tag)


def _check_slicing(request: JobRequest) -> None:
    slicing = request.slicing
    if slicing is None:
        return
    if not min(slicing.width, slicing.height) >= LEAST_TILE:
        raise UsageError(f"--slice must be at least {LEAST_TILE}x{LEAST_TILE} pixels")
    if not 0 <= slicing.overlap <= MOST_OVERLAP:
        raise UsageError(f"--overlap must be between 0 and {MOST_OVERLAP}, not {slicing.overlap}")


def _one_line(what: str, text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > _LONGEST_NAME:
        raise UsageError(
            f"{text[:_LONGEST_NAME]!r} cannot be a {what}",
            hint=f"use 1 to {_LONGEST_NAME} printable characters",
        )
    return text


def _usable_output(db: Database, output: str, source: str, job_id: str) -> str:
    """Return the output with an absolute path, after something was written there and removed."""
    place = locate_output(output)
    read = parse_source(source)
    is_walked = read.kind in {SourceKind.FOLDER, SourceKind.GLOB}
    if is_walked and f"{place}/".startswith(read.root):
        raise UsageError(
            f"the output {place!r} lies in the source: its pictures would become items",
            hint="name an --output elsewhere",
        )
    taken = db.read(lambda s: s.scalar(select(Job.id).where(Job.output == place).limit(1)))
    store = open_store(place)
    probe = f"{ATTEMPTS}probe-{job_id}"
    try:
        if taken or store.exists(MANIFEST):
            raise UsageError(
                f"the output {place!r} already belongs to {f'job {taken}' if taken else 'a job'}",
                hint="name another --output, or leave it out",
            )
        store.put(probe, b"")
        store.delete(probe)
    except (BadInputError, FatalError, RetryableError) as error:
        raise UsageError(
            f"the output {place!r} cannot be written: {error}", hint=error.hint
        ) from error
    return place


def locate_output(output: str) -> str:
    """Return an output as an absolute path.

    Raises:
        UsageError: it is no location.
    """
    return locate(f"{output.rstrip('/')}/", must_exist=False).source.rstrip("/")


def _write(
    session: Session, draft: Draft, request: JobRequest, job_id: str, output: str, now: float
) -> Job:
    # A commit whose answer was lost is asked for again: the row may be there by now.
    job = session.get(Job, job_id)
    if job is None:
        job = Job(
            id=job_id,
            name=draft.name,
            task=draft.model.queue,
            source=draft.source,
            output=output,
            model=draft.model.to_json(),
            networks={digest: one.to_json() for digest, one in draft.networks.items()},
            options=draft.options.to_json(),
            selection=request.selection.to_json(),
            tags=list(request.tags),
            version=version("regatta"),
            state=JobState.PLANNING,
            priority=request.priority,
            created_at=now,
        )
        session.add(job)
        session.flush()
    return job
