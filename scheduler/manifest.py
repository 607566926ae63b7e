"""The final manifest: what a job was, and where its parts are."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from core import notices
from core.comparison import Comparison
from core.digests import Digests
from core.errors import NewerError
from core.kinds import NEED_ENGINE, ArtefactRole
from core.layout import MANIFEST, results_part
from core.options import JobOptions, ModelRef
from core.states import JobState
from core.times import iso
from store.artefacts import artefacts_of, is_result, legends_of, part_of
from store.carried import carried_manifests
from store.database import Database
from store.jobs import Tally, source_texts, tally
from store.locations import open_store
from store.own_objects import own_object
from store.profiles import part_profiles, profiles_of
from store.references import references_of
from store.settling import results_of
from store.tables import Job, Shard

_FORMAT_VERSION = 1


def write_manifest(
    db: Database, job: Job, state: JobState, *, finished: float, error: str | None
) -> None:
    """Write `manifest.json` for a job that ends, or has ended, as `state`; `error` says why.

    Raises:
        FatalError: a manifest of what it has taken over is gone.
        RegattaError: its output cannot be written.
    """
    counts = db.read(lambda s: tally(s, [job]))[job.id]
    shards = db.read(lambda s: results_of(s, job.id))
    carried = carried_manifests(db, job)
    for place, key in carried:
        own_object(job.id, place, key)
    refers_to = db.read(lambda s: references_of(s, job.id))
    manifest = job_manifest(
        job, state, counts, shards, carried, finished=finished, error=error, refers_to=refers_to
    )
    data = json.dumps(manifest, indent=2).encode() + b"\n"
    open_store(job.output).put(MANIFEST, data, durable=True)


def job_manifest(
    job: Job,
    state: JobState,
    tally: Tally,
    shards: Sequence[Shard],
    carried: Sequence[tuple[str, str]] = (),
    *,
    finished: float,
    error: str | None = None,
    refers_to: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the content of `manifest.json` for a job that ends as `state`.

    `shards` are those that have committed anything, in listing order, `carried` the manifests of
    what the job has taken over, `refers_to` the jobs whose results it read, and why; `error` is why
    it failed.
    """
    profiles = profiles_of(job)
    legends = {name: said for shard in shards for name, said in legends_of(shard).items()}
    return {
        "format": _FORMAT_VERSION,
        "job": {
            "id": job.id,
            "name": job.name,
            "kind": job.kind,
            "state": state.value,
            "generation": job.generation,
            "priority": job.priority,
            "tags": job.tags,
            "created": iso(job.created_at),
            "started": iso(job.started_at),
            "finished": iso(finished),
            "error": error,
        },
        "task": job.task,
        "source": source_texts(job),
        "selection": job.selection,
        "model": job.model,
        "options": job.options,
        "request": _request(job),
        "effective": job.effective,
        "digests": _digests(job),
        **({"legends": legends} if legends else {}),
        **({"refers_to": dict(refers_to)} if refers_to else {}),
        # The last one: a job may end, or be called off, after leaving its profile.
        "profile": profiles[-1] if profiles else None,
        "profiles": profiles,
        "regatta": job.version,
        "items": {
            "listed": tally.listed,
            "succeeded": tally.succeeded,
            "skipped": tally.skipped,
            "quarantined": tally.quarantined,
            "cancelled": tally.cancelled,
            "passed_over": job.passed_over,
            **({} if job.since_job is None else {"carried": job.carried}),
        },
        **_compared(job, carried),
        **({"warnings": warned} if (warned := job.warnings) else {}),
        "parts": [_part(shard) for shard in shards if is_result(shard)],
        "artefacts": [
            {
                "kind": shard.kind,
                "part": part_of(shard),
                "role": artefact.role.value,
                "key": artefact.key,
                "sha256": artefact.digest,
                "bytes": artefact.size,
            }
            for shard in shards
            for artefact in artefacts_of(shard)
            if artefact.role is not ArtefactRole.ROWS or not is_result(shard)
        ],
    }


def _request(job: Job) -> dict[str, Any] | None:
    """Return what was asked for, without who is told: addresses of webhooks often are secrets."""
    if job.request is None:
        return None
    return {name: value for name, value in job.request.items() if name not in notices.OPTIONS}


def _compared(job: Job, carried: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return with what the job was compared, what was found, and what it has taken over."""
    if job.since_job is None:
        return {}
    comparison = Comparison.from_json(job.comparison or {})
    counts = comparison.to_json()
    del counts["manifests"]
    return {
        "since": job.since_job,
        "comparison": {**counts, "words": comparison.words},
        # Keys in this output, unless they say otherwise.
        "carried": [
            {"key": key, **({} if output == job.output else {"output": output})}
            for output, key in carried
        ],
    }


def _digests(job: Job) -> dict[str, str] | None:
    """Return the digests that determine the results; None if only a newer version could tell."""
    try:
        options, model = JobOptions.from_json(job.options), ModelRef.from_json(job.model)
    except NewerError:
        return None
    return Digests.of(model, options).to_json()


def _part(shard: Shard) -> dict[str, Any]:
    numbers = list(part_profiles(shard))
    return {
        "key": results_part(part_of(shard)),
        "sha256": shard.part_digest,
        "bytes": shard.part_size,
        "items": {"key": shard.items_key, "start": shard.start, "stop": shard.stop},
        "succeeded": shard.succeeded,
        "skipped": shard.skipped,
        "quarantined": shard.quarantined,
        "timings": shard.timings,
        "profile": numbers[-1] if shard.kind in NEED_ENGINE else None,
        # Only if rows from an earlier profile stand: most parts were made in one go.
        **({"profiles": numbers} if len(numbers) > 1 else {}),
    }
