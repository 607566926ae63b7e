"""The rows of a job's committed result parts, one part in memory at a time."""

from collections.abc import Iterator
from typing import Any

from core.errors import BadInputError
from core.layout import results_part, staged_results_part
from core.states import ShardState
from store.database import Database
from store.locations import open_store
from store.objects import ObjectStore
from store.parts import iter_rows
from store.settling import parts_of
from store.tables import Job, Shard


def committed_rows(
    db: Database, job: Job, *, quarantined_only: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield the rows of every part that is committed by now, in listing order.

    With `quarantined_only`, parts without quarantined items are not read.
    """
    shards = db.read(lambda s: parts_of(s, job.id))
    output = open_store(job.output)
    for shard in shards:
        if shard.quarantined or not quarantined_only:
            yield from iter_rows(_read(output, shard))


def quarantined_rows(db: Database, job: Job) -> Iterator[dict[str, Any]]:
    """Yield the rows of quarantined items."""
    for row in committed_rows(db, job, quarantined_only=True):
        if row["state"] == "quarantined":
            yield row


def _read(output: ObjectStore, shard: Shard) -> bytes:
    final = results_part(shard.seq)
    if shard.state is not ShardState.COMMITTED or shard.part_attempt is None:
        return output.get(final)
    try:
        return output.get(staged_results_part(shard.seq, shard.part_attempt))
    except BadInputError:  # published, and swept away, since the database was asked
        return output.get(final)
