"""Reads all results of a job where they lie, without its database."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import pyarrow as pa

from core.keys import key_to_text, text_to_key
from core.sources import Source, place_in
from store.carried import Origin, origins, rows_from
from store.locations import absolute, open_store
from store.manifests import decode_items
from store.own_objects import own_object
from store.part_files import part_columns, read_part
from store.part_schema import SCHEMA
from store.parts import read_table

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
    It has `items` items and `size` bytes, and is about the rows `start:stop` of `manifest`.
    """

    job: str
    output: str
    key: str
    staged: str | None
    items: int
    size: int
    manifest: str
    start: int
    stop: int


class Read(Protocol):
    """Reads a table of a view, or some columns of it; see `View.own`."""

    def __call__(self, columns: Collection[str] | None = None) -> pa.Table:
        """Return the rows."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """Where all results of a job lie: other processes can read them, without the database.

    `parts` are those of its own, in listing order; `carried` its carried manifests; `sources` where
    its items lie, by their prefixes.
    """

    parts: Sequence[ViewPart]
    carried: Sequence[tuple[str, str]]
    sources: Mapping[str, Source]

    def reads(self) -> Iterator[Read]:
        """Yield the functions that read the view, each a table; threads may run several at once.

        Raises:
            FatalError: a carried manifest is missing or damaged; a function: its part is.
        """
        for part in self.parts:
            yield partial(self.own, part)
        for origin in origins(self.carried):
            yield partial(self._taken_over, origin)

    def own(self, part: ViewPart, columns: Collection[str] | None = None) -> pa.Table:
        """Return the rows of one of its own parts.

        With `columns`, the table has the columns of `VIEW_SCHEMA` of these names only, with `job`,
        `output` and `index`, and what of them the part lacks is left out. `detections.score` is a
        field, as in `store.parts.read_columns`.

        Raises:
            FatalError: the part is not where it was written, or is damaged.
        """
        table = read_table(_read(part)) if columns is None else _read_columns(part, columns)
        uris = None
        if columns is None or "uri" in columns:
            has_own = any(source.kind.is_manifest for source in self.sources.values())
            own = _own_uris(part) if has_own else {}
            uris = self._places(table, [own.get(index) for index in table["index"].to_pylist()])
        return _viewed(table, uris, part.job, part.output)

    def taken_over(
        self, origin: Origin, columns: Collection[str] | None = None
    ) -> tuple[pa.Table, pa.Table]:
        """Return the rows taken over from a part of another job, and the manifest's row for each.

        `columns` as above. The second table has the columns of `store.carried.SCHEMA`.

        Raises:
            FatalError: the part, or a row of it, is gone.
        """
        wanted = None if columns is None else _of_part({*columns, "item"})
        table, said = rows_from(origin, wanted)
        uris = None
        if columns is None or "uri" in columns:
            uris = self._places(table, said["uri"].to_pylist())
        return _viewed(table, uris, origin.job, origin.output), said

    def _taken_over(self, origin: Origin, columns: Collection[str] | None = None) -> pa.Table:
        return self.taken_over(origin, columns)[0]

    def _places(self, table: pa.Table, own: Sequence[str | None]) -> pa.Array:
        """Return where the items lie; `own` are the places that a list gave."""
        roots = {name: absolute(one.root).rstrip("/") for name, one in self.sources.items()}

        def place(item: str) -> str:
            key = text_to_key(item)
            name = "" if "" in roots else key.partition("/")[0]
            return key_to_text(f"{roots[name]}/{place_in(self.sources, key)[1]}")

        pairs = zip(own, table["item"].to_pylist(), strict=True)
        return pa.array([place(item) if uri is None else uri for uri, item in pairs], pa.string())


def _read(part: ViewPart) -> bytes:
    output = open_store(part.output)
    if part.staged is not None and output.exists(part.staged):
        return read_part(output, part.staged, part.output)
    return read_part(output, part.key, part.output)  # published since the database was asked


def _read_columns(part: ViewPart, columns: Collection[str]) -> pa.Table:
    is_staged = part.staged is not None and open_store(part.output).exists(part.staged)
    key = part.staged if is_staged and part.staged is not None else part.key
    return part_columns(part.output, key, part.size, _of_part(columns))


def _of_part(columns: Collection[str]) -> set[str]:
    """Return the columns of a part that have to be read for these columns of a view."""
    needed = {"index", *columns} - {"job", "output", "uri"}
    return needed | {"item"} if "uri" in columns else needed


def _own_uris(part: ViewPart) -> Mapping[int, str]:
    """Return the places of those items of a part whose list names them, by their positions."""
    manifest = own_object(part.job, part.output, part.manifest)
    items = decode_items(manifest, part.start, part.stop)
    return {item.index: key_to_text(item.uri) for item in items if item.uri is not None}


def _viewed(table: pa.Table, uris: pa.Array | None, job: str, output: str) -> pa.Table:
    """Return the rows with what a view has besides, in the order of its columns."""
    columns = {name: table[name] for name in table.column_names}
    columns |= {"job": pa.repeat(job, len(table)), "output": pa.repeat(output, len(table))}
    if uris is not None:
        columns["uri"] = uris
    names = [name for name in VIEW_SCHEMA.names if name in columns]
    if names == VIEW_SCHEMA.names:
        return pa.table([columns[name] for name in names], schema=VIEW_SCHEMA)
    return pa.table([columns[name] for name in names], names=names)
