"""Runs a worker's pipeline over a list of files, without the rest of the worker."""

from collections.abc import Sequence
from pathlib import Path

from config.machine import available_memory
from core.items import ItemRef
from core.kinds import ShardKind
from core.options import JobOptions, ModelRef
from core.profile import ExecutionProfile
from core.slicing import Slicing
from core.sources import parse_source
from core.ways import Way
from core.work import Hold, WorkUnit
from registry.chosen_model import describe
from store.parts import encode_rows
from worker.assembly import use_process
from worker.engines.paddle import engine as paddle
from worker.engines.registry import engines_named
from worker.models import Models, ResidentNetwork
from worker.pipeline.pipeline import Pipeline, Threads
from worker.run import ShardRun
from worker.ways.question import Question, SamplePictures


class LoadedPipeline:
    """A loaded model and the stages around it, as `worker.assembly` builds them."""

    def __init__(
        self, model: Path | ModelRef, *, batch: int, threads: int, quality: int = 90
    ) -> None:
        use_process()
        self._profile = ExecutionProfile.of(
            paddle.offers()[0].offer, batch_size=batch, jpeg_quality=quality
        )
        engines = engines_named("paddle")
        self._ref = model if isinstance(model, ModelRef) else describe(model)
        self._pipeline = Pipeline(
            Models(engines, replicas=threads, memory_bytes=available_memory()),
            Threads(fetch=4, decode=threads, predict=threads, finish=threads, upload=4),
        )
        self._ways = {
            export.digest: Question.alone(export, self._profile)
            .answer(engines, SamplePictures(export.task))
            .way
            or Way.PLAIN
            for export in self._ref.exports
        }
        self._model = self._pipeline.models.acquire(self._ref, self._profile, self._ways)

    @property
    def way(self) -> Way:
        """The way in which its only network runs, as chosen on sample pictures."""
        [way] = self._ways.values()
        return way

    @property
    def networks(self) -> list[ResidentNetwork]:
        """The loaded networks."""
        return self._model.networks

    def run(
        self,
        paths: Sequence[Path],
        output: Path,
        *,
        annotate: bool,
        slicing: Slicing | None = None,
    ) -> bytes:
        """Run the files as one shard and return its part; pictures are written below `output`."""
        quality = self._profile.jpeg_quality
        unit = WorkUnit(
            hold=Hold(1, 1),
            job="bench",
            part="000000",
            kind=ShardKind.INFER,
            task=self._ref.task,
            sources={"": parse_source("/")},
            output=str(output),
            items_key="",
            start=0,
            stop=len(paths),
            model=self._ref,
            options=JobOptions.of(
                max_pixels=2 * 10**8,
                max_item_bytes=2**28,
                jpeg_quality=quality,
                annotate=annotate,
                slicing=slicing,
            ),
            frozen_profile=self._profile,
            suspect=False,
            deaths={},
            previous_part=None,
        )
        items = [ItemRef(n, str(path)[1:]) for n, path in enumerate(paths)]
        run = ShardRun(unit, lease_seconds=1e6, margin=0)
        rows = self._pipeline.rows(run, items, self._model)
        failed = [row for row in rows if row.reason is not None]
        assert not failed, f"{len(failed)} images failed, the first: {failed[0].reason}"
        return encode_rows(rows)
