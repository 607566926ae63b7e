"""Leaves out of results what an export does not want, and names the rest as it wants."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotations.class_list import LEFT_OUT, ClassList
from core.tasks import task_of


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The least scores of what is exported: of every class, and of those with these labels.

    Labels are the model's. A class's own threshold goes before that of all.
    """

    least: float = 0.0
    by_label: Mapping[str, float] = field(default_factory=dict)

    def keeps(self, scores: NDArray[np.float32], labels: pa.Array) -> NDArray[np.bool_]:
        """Return which of N scores (N,) are high enough; `labels` are the N labels beside them."""
        kept = scores >= np.float32(self.least)
        for label, least in self.by_label.items():
            is_of = pc.fill_null(pc.equal(labels, label), fill_value=False)
            chosen = is_of.to_numpy(zero_copy_only=False)
            kept[chosen] = scores[chosen] >= np.float32(least)
        return kept


EVERYTHING = Thresholds()
"""Thresholds that let everything pass."""


def narrowed(results: pa.Table, classes: ClassList, thresholds: Thresholds) -> pa.Table:
    """Return results (`store.view.VIEW_SCHEMA`) with what is exported of each row.

    `class_id` becomes the class's number in the export, and `label` its name there. Shares of
    pixels have no threshold.
    """
    columns = {name: results[name] for name in results.column_names}
    tasks = set(pc.unique(results["task"]).to_pylist())
    scored = not any(task_of(task).has_shares for task in tasks)
    for name in ("detections", "classes", "segments"):
        limits = thresholds if scored and name != "segments" else None
        columns[name] = _narrowed(array_of(results[name]), classes, limits)
    return pa.table(list(columns.values()), schema=results.schema)


def array_of(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array; a table without rows may have no chunks at all."""
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole


def _narrowed(lists: pa.ListArray, classes: ClassList, limits: Thresholds | None) -> pa.ListArray:
    structs = pc.list_flatten(lists)
    if not len(structs):
        return lists
    fields = {one.name: pc.struct_field(structs, one.name) for one in structs.type}
    ids = fields["class_id"].to_numpy(zero_copy_only=False)
    numbers = classes.numbers_of(ids, lambda place: fields["label"][place].as_py())
    kept = numbers != LEFT_OUT
    if limits is not None:
        scores = fields["score"].to_numpy(zero_copy_only=False)
        kept &= limits.keeps(scores, fields["label"])
    chosen = pa.array(kept)
    fields = {name: values.filter(chosen) for name, values in fields.items()}
    fields["class_id"] = pa.array(numbers[kept].astype(np.int32))
    fields["label"] = pa.array(classes.names, pa.string()).take(fields["class_id"])
    entries = pa.StructArray.from_arrays(list(fields.values()), fields=list(structs.type))
    return _relisted(lists, entries, kept)


def _relisted(
    lists: pa.ListArray, entries: pa.StructArray, kept: NDArray[np.bool_]
) -> pa.ListArray:
    """Return lists like the old ones, with `entries`: those of the old ones that are `kept`."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    ends = np.concatenate([[0], np.cumsum(lengths)])
    offsets = np.concatenate([[0], np.cumsum(kept)])[ends].astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), entries, type=lists.type, mask=pc.is_null(lists)
    )
