"""Runs shards of the kind `infer`: a model over items, each of which gets its rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import BlockedError
from core.items import ItemRef
from core.kinds import ArtefactRole
from store import rates
from store.database import Database
from store.manifests import decode_items
from store.own_objects import own_object
from store.parts import ResultRow, encode_rows, merge_rows, unsucceeded
from worker.engines.protocol import OutOfMemoryError
from worker.kinds.kind import KindRunner, Outcome, Product, counts_of
from worker.pipeline.items import as_it_is_now
from worker.pipeline.pipeline import Pipeline
from worker.run import ShardRun
from worker.suspects import run_suspects
from worker.ways.chooser import COMPARE, WayChooser


@dataclass(frozen=True, slots=True)
class Infer(KindRunner):
    """Runs the pipeline over a shard's items."""

    db: Database
    pipeline: Pipeline
    chooser: WayChooser
    stall_seconds: float

    def run(self, run: ShardRun) -> Outcome:
        """Return the shard's rows; see `KindRunner.run`."""
        part = self._part(run)
        rows = Product(ArtefactRole.ROWS, ".parquet", part, run.legends)
        return Outcome((rows,), counts_of(part))

    def committed(self, run: ShardRun, seconds: float) -> None:
        """Record how fast the model runs on its engine, by which shards are sized."""
        unit = run.unit
        # One-off costs of a model say nothing about the next shard.
        seconds -= run.seconds.get(COMPARE, 0.0)
        if unit.suspect or unit.previous_part is not None or seconds <= 0:
            return
        engine, rate = unit.profile.key, (unit.stop - unit.start) / seconds
        self.db.write(
            lambda s: rates.note_rate(s, unit.model.digest, engine, rate, now=self.db.now(s))
        )

    def _part(self, run: ShardRun) -> bytes:
        """Return the shard's part; a retry runs only what hasn't succeeded yet."""
        unit = run.unit
        listed = own_object(unit.job, unit.output, unit.items_key)
        items = decode_items(listed, unit.start, unit.stop)
        if unit.previous_part is None:
            return encode_rows(self._rows(run, items))
        before = own_object(unit.job, unit.output, unit.previous_part)
        failed = unit.chosen(unsucceeded(before))
        again = [as_it_is_now(item, unit.sources) for item in items if item.index in failed]
        return merge_rows(before, self._rows(run, again))

    def _rows(self, run: ShardRun, items: Sequence[ItemRef]) -> list[ResultRow]:
        try:
            return self._made(run, items)
        except OutOfMemoryError as error:  # as it would for any shard
            raise BlockedError(
                f"the model can't be loaded for lack of memory: {error}",
                hint="free some, or use a machine with more",
            ) from error

    def _made(self, run: ShardRun, items: Sequence[ItemRef]) -> list[ResultRow]:
        run.fix_ways(self.chooser.choose(run, items))
        if run.unit.suspect:
            size = run.unit.profile.batch_size
            return run_suspects(run, items, self.db, at_once=size, stall_seconds=self.stall_seconds)
        model = self.pipeline.models.acquire(run.unit.model, run.unit.profile, run.unit.ways)
        try:
            return self.pipeline.rows(run, items, model)
        finally:
            run.halved_to = model.halved_to
            self.pipeline.models.release(model)
