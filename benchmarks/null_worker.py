"""A worker that is real except for its pipeline: every shard is done as soon as it is claimed.

It takes messages, claims, renews, commits and publishes as `worker.shard` does, but stages a part
of a few bytes. `REGATTA_NULL_SECONDS` is how long an item takes.
"""

import os
import sys
import time

from core.kinds import ArtefactRole
from core.layout import results_part, staged_results_part
from core.work import Artefact, Counts, ShardResult
from store.locations import open_store
from worker import __main__ as real
from worker import runtime
from worker.run import ShardRun
from worker.shard import ShardRunner, StagedRun

_PART = b"nothing"
_SECONDS = float(os.environ.pop("REGATTA_NULL_SECONDS", "0"))


class NullRunner(ShardRunner):
    """Stages an empty part, and counts every item as a success."""

    def _result(self, run: ShardRun) -> StagedRun:
        unit = run.unit
        seconds = _SECONDS * (unit.stop - unit.start)
        time.sleep(seconds)
        run.moved("null", seconds)
        staged = staged_results_part(unit.part, unit.hold.attempt)
        open_store(unit.output).put(staged, _PART)
        rows = Artefact(ArtefactRole.ROWS, staged, results_part(unit.part), "0" * 64, len(_PART))
        counts = Counts(succeeded=unit.stop - unit.start)
        return StagedRun(ShardResult((rows,), counts, {"total": 0.001}), {})


if __name__ == "__main__":
    vars(runtime)["ShardRunner"] = NullRunner
    sys.exit(real.main())
