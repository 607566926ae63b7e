"""What a shard's commit publishes, as its row says it."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.kinds import COUNT, ArtefactRole
from core.layout import part_name, results_part, staged_results_part
from core.work import Artefact
from store.tables import Shard


def part_of(shard: Shard) -> str:
    """Return what the artefacts of a shard are named after."""
    return part_name(shard.seq) if shard.part is None else shard.part


def is_result(shard: Shard) -> bool:
    """Whether the rows that the shard has committed are results of its job."""
    return shard.kind in COUNT and shard.part_digest is not None


def legends_of(shard: Shard) -> Mapping[str, Mapping[str, Any]]:
    """Return the legends of the models whose rows the shard has committed, as JSON, by names."""
    said = (one["legends"] for one in shard.artefacts or () if one["role"] == ArtefactRole.ROWS)
    return next(said, {})


def artefacts_of(shard: Shard) -> list[Artefact]:
    """Return what the commit of the shard's last result publishes, its rows first."""
    said = shard.artefacts or ()
    others = [_from_json(one) for one in said if one["role"] != ArtefactRole.ROWS]
    if shard.part_attempt is None or shard.part_digest is None:
        return others
    part = part_of(shard)
    rows = Artefact(
        ArtefactRole.ROWS,
        staged_results_part(part, shard.part_attempt),
        results_part(part),
        shard.part_digest,
        shard.part_size or 0,
        legends_of(shard),
    )
    return [rows, *others]


def artefact_columns(shard: Shard, artefacts: Sequence[Artefact]) -> dict[str, Any]:
    """Return what a shard's row says of artefacts that it commits, by column.

    Rows have columns of their own, as they always had; only their legends stand beside the others.
    Rows of the part before may still be among them, and so their legends stay.
    """
    rows = next((one for one in artefacts if one.role is ArtefactRole.ROWS), None)
    others = [_to_json(one) for one in artefacts if one.role is not ArtefactRole.ROWS]
    legends = {} if rows is None else {**legends_of(shard), **rows.legends}
    if legends:
        others.insert(0, {"role": ArtefactRole.ROWS.value, "legends": legends})
    return {
        "part_digest": None if rows is None else rows.digest,
        "part_size": None if rows is None else rows.size,
        "artefacts": others or None,
    }


def _to_json(artefact: Artefact) -> dict[str, Any]:
    return {
        "role": artefact.role.value,
        "staged": artefact.staged,
        "key": artefact.key,
        "sha256": artefact.digest,
        "bytes": artefact.size,
    }


def _from_json(said: dict[str, Any]) -> Artefact:
    return Artefact(
        ArtefactRole(said["role"]), said["staged"], said["key"], said["sha256"], said["bytes"]
    )
