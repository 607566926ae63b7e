"""All results of a job as tables: what every query, export and evaluation reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from core.keys import key_to_text, text_to_key
from core.kinds import ArtefactRole
from core.sources import Source, place_in
from core.states import ShardState
from store.artefacts import artefacts_of
from store.carried import carried_manifests, origins, rows_from
from store.database import Database
from store.jobs import sources_of
from store.locations import absolute, open_store
from store.manifests import decode_items
from store.own_objects import own_object
from store.part_files import read_part
from store.part_schema import SCHEMA
from store.parts import read_table
from store.settling import parts_of
from store.tables import Job, Shard

VIEW_SCHEMA = pa.schema(
    [
        # The job that made the row, and where its `mask`, `cutout` and `annotated` lie.
        pa.field("job", pa.string(), nullable=False),
        pa.field("output", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        *SCHEMA,
    ]
)
"""The columns of a view: those of a part, whose row it is, and where its item lies."""


@dataclass(frozen=True, slots=True)
class ViewPart:
    """A part whose rows belong to a view.

    `job` made it, and it lies under `key` in `output`; or still under `staged`, if that is given.
    """

    job: str
    output: str
    key: str
    staged: str | None


def view_parts(db: Database, job: Job) -> list[ViewPart]:
    """Return the parts of a job's own results that are committed so far, in listing order.

    The job may have taken over results of others (`store.carried`): `view_tables` has them all.
    """
    return [_part(job, shard) for shard in db.read(lambda s: parts_of(s, job.id))]


def view_tables(db: Database, job: Job) -> Iterator[pa.Table]:
    """Yield all of a job's results so far as tables of `VIEW_SCHEMA`.

    Its own come first, in listing order; then those that it took over, by the parts that hold them,
    each of which is read once. Memory holds one part. `uri` is where the item lies: a URL, or an
    absolute path. `item` tells items apart: the `index` of a row is that in the listing of the
    job that made it, and copies of a file share that job's row.

    Raises:
        FatalError: a part is not where it was written, or is damaged.
    """
    sources = sources_of(job)
    has_own = any(source.kind.is_manifest for source in sources.values())
    for shard in db.read(lambda s: parts_of(s, job.id)):
        table = read_table(_read(_part(job, shard)))
        own = _own_uris(job, shard) if has_own else {}
        uris = [own.get(index) for index in table["index"].to_pylist()]
        yield _viewed(table, sources, uris, job.id, job.output)
    for origin in origins(carried_manifests(db, job)):
        table, said = rows_from(origin)
        yield _viewed(table, sources, said["uri"].to_pylist(), origin.job, origin.output)


def _part(job: Job, shard: Shard) -> ViewPart:
    rows = next(one for one in artefacts_of(shard) if one.role is ArtefactRole.ROWS)
    staged = rows.staged if shard.state is ShardState.COMMITTED else None
    return ViewPart(job.id, job.output, rows.key, staged)


def _read(part: ViewPart) -> bytes:
    output = open_store(part.output)
    if part.staged is not None and output.exists(part.staged):
        return read_part(output, part.staged, part.output)
    return read_part(output, part.key, part.output)  # published since the database was asked


def _own_uris(job: Job, shard: Shard) -> Mapping[int, str]:
    """Return the places of those items of a shard whose list names them, by their positions."""
    manifest = own_object(job.id, job.output, shard.items_key)
    items = decode_items(manifest, shard.start, shard.stop)
    return {item.index: key_to_text(item.uri) for item in items if item.uri is not None}


def _viewed(
    table: pa.Table,
    sources: Mapping[str, Source],
    own: Sequence[str | None],
    job: str,
    output: str,
) -> pa.Table:
    """Return the rows with what a view has besides; `own` are the places that a list gave."""
    roots = {name: absolute(source.root).rstrip("/") for name, source in sources.items()}

    def place(item: str) -> str:
        key = text_to_key(item)
        name = "" if "" in roots else key.partition("/")[0]
        return key_to_text(f"{roots[name]}/{place_in(sources, key)[1]}")

    pairs = zip(own, table["item"].to_pylist(), strict=True)
    uris = [place(item) if uri is None else uri for uri, item in pairs]
    columns = [pa.repeat(pa.scalar(text), len(table)) for text in (job, output)]
    return pa.table([*columns, pa.array(uris, pa.string()), *table.columns], schema=VIEW_SCHEMA)
