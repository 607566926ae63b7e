"""Reads the rows that a shard draws: another job's results, as they were at planning."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from core.errors import BadInputError, FatalError
from core.options import DrawOptions
from core.rendering import Drawn
from core.states import ItemState
from core.work import WorkUnit
from predictions.answer import NO_LEGEND, Legend
from store.locations import open_store
from store.manifests import decode_items
from store.own_objects import own_object
from store.parts import ResultRow, decode_rows
from vision.draw import by_task


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows by their items' index in the shard's job, and what else is needed to draw them.

    The masks that rows name are under `output`. `legends` go by model name. `listed` is the number
    of the other job's items, if only some of them are drawn.
    """

    by_item: Mapping[int, Sequence[ResultRow]]
    output: str
    legends: Mapping[str, Legend]
    listed: int = 0

    @classmethod
    def of(cls, unit: WorkUnit) -> "Rows":
        """Read what a shard of the kind `render` draws.

        Raises:
            FatalError: it is missing, or has changed since the job was planned.
            RetryableError: the other job's output can't be read.
        """
        drawn = Drawn.from_json(unit.spec)
        try:
            part = open_store(drawn.output).get(drawn.key)
        except BadInputError as error:
            raise FatalError(
                f"the results of job {drawn.job} are gone: {error}",
                hint=f"they were at {drawn.key} in {drawn.output}",
            ) from error
        if hashlib.sha256(part).hexdigest() != drawn.sha256:
            raise FatalError(
                f"job {drawn.job} was run again after this was planned, and has other results",
                hint=f"draw those: regatta redraw {drawn.job}",
            )
        by_item: defaultdict[int, list[ResultRow]] = defaultdict(list)
        for row in decode_rows(part):
            by_item[row.item.index].append(row)
        if drawn.indexes:
            by_item = _of_own_items(unit, drawn, by_item)
        legends = {name: Legend.from_json(said) for name, said in drawn.legends.items()}
        return cls(by_item, drawn.output, legends, drawn.listed)

    def draws(self, row: ResultRow, options: DrawOptions) -> bool:
        """Return whether a row gets a picture."""
        if row.state is not ItemState.SUCCEEDED:
            return False
        answer = row.answer(legend=self.legends.get(row.model, NO_LEGEND))
        is_wanted = not options.only_found or by_task.finds_something(row.task, answer)
        return is_wanted and options.draws(row.item.index, self.listed)


def _of_own_items(
    unit: WorkUnit, drawn: Drawn, by_index: Mapping[int, Sequence[ResultRow]]
) -> defaultdict[int, list[ResultRow]]:
    """Return the rows of the shard's items as those of its own job: by its indexes, with its keys.

    Raises:
        FatalError: an item has no row.
    """
    manifest = own_object(unit.job, unit.output, unit.items_key)
    items = decode_items(manifest, unit.start, unit.stop)
    own: defaultdict[int, list[ResultRow]] = defaultdict(list)
    for item, index in zip(items, drawn.indexes, strict=True):
        if index not in by_index:
            raise FatalError(f"{drawn.key} in {drawn.output} has no row of {item.key!r}")
        own[item.index] = [
            replace(row, item=replace(row.item, index=item.index, key=item.key))
            for row in by_index[index]
        ]
    return own
