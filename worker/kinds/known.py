"""The kinds of shards that this worker knows."""

from collections.abc import Mapping

from core.kinds import ShardKind
from store.database import Database
from worker.kinds.compact import Compact
from worker.kinds.infer import Infer
from worker.kinds.kind import KindRunner
from worker.kinds.render import Render
from worker.pipeline.drawing import Drawing
from worker.pipeline.pipeline import Pipeline
from worker.ways.chooser import WayChooser


def known_kinds(
    db: Database, pipeline: Pipeline, chooser: WayChooser, drawing: Drawing, *, stall_seconds: float
) -> Mapping[ShardKind, KindRunner]:
    """Return the runner of each kind."""
    return {
        ShardKind.INFER: Infer(db, pipeline, chooser, stall_seconds),
        ShardKind.RENDER: Render(db, drawing, stall_seconds),
        ShardKind.COMPACT: Compact(db),
    }
