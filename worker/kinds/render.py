"""Shards of the kind `render`: pictures are drawn again from the rows that another job has made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from core.items import ItemRef
from core.kinds import ArtefactRole
from core.states import ItemState
from core.work import WorkUnit
from store.database import Database
from store.manifests import decode_items
from store.own_objects import own_object
from store.parts import ResultRow, encode_rows, merge_rows, unsucceeded
from worker.kinds.kind import KindRunner, Outcome, Product, counts_of
from worker.pipeline.drawing import Drawing
from worker.pipeline.drawn_rows import Rows
from worker.run import ShardRun
from worker.suspects import run_suspects

_SUSPECTS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Render(KindRunner):
    """Draws a shard's items."""

    db: Database
    drawing: Drawing
    stall_seconds: float

    def run(self, run: ShardRun) -> Outcome:
        """Return the shard's rows, with the keys of its pictures; see `KindRunner.run`."""
        unit = run.unit
        source = Rows.of(unit)
        before = None
        if unit.previous_part is not None:
            # What a person may have mended since is tried again, as it was when it was seen.
            before = own_object(unit.job, unit.output, unit.previous_part)
            again = unit.chosen(unsucceeded(before))
            by_item = {place: rows for place, rows in source.by_item.items() if place in again}
            source = replace(source, by_item=by_item)
        rows = self._rows(run, source)
        part = encode_rows(rows) if before is None else merge_rows(before, rows)
        product = Product(ArtefactRole.ROWS, ".parquet", part, source.legends)
        return Outcome((product,), counts_of(part))

    def _rows(self, run: ShardRun, source: Rows) -> list[ResultRow]:
        """Return the rows of all items, drawn where there is anything to draw."""
        items = _drawable(run.unit, source)
        if run.unit.suspect:
            made = run_suspects(
                run, items, self.db, at_once=_SUSPECTS_AT_ONCE, stall_seconds=self.stall_seconds
            )
        else:
            made = self.drawing.rows(run, items, source)
        drawn = {(row.item.index, row.model): row for row in made}
        worked_on = {item.index for item in items}
        return [
            drawn[place, row.model]
            if place in worked_on and row.state is ItemState.SUCCEEDED
            else replace(row, annotated=None)
            for place, rows in source.by_item.items()
            for row in rows
        ]


def _drawable(unit: WorkUnit, source: Rows) -> Sequence[ItemRef]:
    """Return the items with rows to draw or masks to copy: where they lie, as they were seen."""
    manifest = own_object(unit.job, unit.output, unit.items_key)
    listed: Mapping[int, ItemRef] = {
        item.index: item for item in decode_items(manifest, unit.start, unit.stop)
    }
    return [
        replace(rows[0].item, uri=listed[place].uri)
        for place, rows in source.by_item.items()
        if any(row.mask or source.draws(row, unit.options.drawing) for row in rows)
    ]
