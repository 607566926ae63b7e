"""The rows of a job's committed result parts, one part in memory at a time."""

from collections.abc import Iterator
from typing import Any

from core.errors import BadInputError
from core.kinds import ArtefactRole
from core.states import ShardState
from core.work import Artefact
from store.artefacts import artefacts_of
from store.database import Database
from store.locations import open_store
from store.objects import ObjectStore
from store.part_files import printed_rows, read_part
from store.settling import parts_of
from store.tables import Job, Shard


def committed_rows(
    db: Database, job: Job, *, quarantined_only: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield the rows of every part committed so far, in listing order.

    With `quarantined_only`, parts without quarantined items are not read.

    Raises:
        FatalError: a part is not where it was written, or is damaged.
    """
    shards = db.read(lambda s: parts_of(s, job.id))
    output = open_store(job.output)
    for shard in shards:
        if shard.quarantined or not quarantined_only:
            rows = _rows_of(shard)
            yield from printed_rows(_read(output, rows, shard, job), rows.key, job.output)


def quarantined_rows(db: Database, job: Job) -> Iterator[dict[str, Any]]:
    """Yield the rows of quarantined items."""
    for row in committed_rows(db, job, quarantined_only=True):
        if row["state"] == "quarantined":
            yield row


def _read(output: ObjectStore, rows: Artefact, shard: Shard, job: Job) -> bytes:
    if shard.state is ShardState.COMMITTED:
        try:
            return output.get(rows.staged)
        except BadInputError:
            pass  # published, and its staged copy removed, since the database was asked
    return read_part(output, rows.key, job.output)


def _rows_of(shard: Shard) -> Artefact:
    return next(one for one in artefacts_of(shard) if one.role is ArtefactRole.ROWS)
