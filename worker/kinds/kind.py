"""The interface of a shard kind: its runner, and what a run produces."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from core.kinds import ArtefactRole
from core.states import ItemState
from core.work import Counts
from predictions.answer import Legend
from store.parts import count_states
from store.planning import NewShard
from worker.run import ShardRun


@dataclass(frozen=True, slots=True)
class Product:
    """An artefact to be staged: its bytes, or a file if it may be large.

    `suffix` ends its name, dot included. The runner removes the file itself. `legends` are those of
    the models whose rows it holds, by model name, if they have any.
    """

    role: ArtefactRole
    suffix: str
    content: bytes | Path
    legends: Mapping[str, Legend] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has made of its shard.

    `counts` add up to the shard's items, less those left to its children. Children are numbered by
    their content, so that a second run numbers them alike.
    """

    products: tuple[Product, ...]
    counts: Counts = field(default_factory=Counts)
    children: Mapping[int, NewShard] = field(default_factory=dict)


class KindRunner(Protocol):
    """Runs shards of one kind. Shared by the task threads of a worker.

    Claim, lease, staging, commit and publication are up to the caller. A runner reports progress
    (`ShardRun.moved`) and stops when told to (`ShardRun.check`).
    """

    @abstractmethod
    def run(self, run: ShardRun) -> Outcome:
        """Run a claimed shard to its end.

        Raises:
            RegattaError: it was stopped, or can't go on; `FatalError` fails the job.
        """

    def committed(self, run: ShardRun, seconds: float) -> None:
        """Learn that a run, which took `seconds`, has become the shard's result."""
        del run, seconds


def counts_of(part: bytes) -> Counts:
    """Return the counts of a part's items by outcome."""
    states = count_states(part)
    return Counts(
        succeeded=states[ItemState.SUCCEEDED],
        skipped=states[ItemState.SKIPPED],
        quarantined=states[ItemState.QUARANTINED],
    )
