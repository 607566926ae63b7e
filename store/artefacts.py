"""What a shard's commit publishes, as recorded in the shard's row."""

from collections.abc import Sequence
from typing import Any

from core.kinds import COUNT, ArtefactRole
from core.layout import part_name, results_part, staged_results_part
from core.work import Artefact
from store.tables import Shard


def part_of(shard: Shard) -> str:
    """Return the name that the artefacts of a shard share."""
    return part_name(shard.seq) if shard.part is None else shard.part


def is_result(shard: Shard) -> bool:
    """Return whether the rows that the shard has committed are results of its job."""
    return shard.kind in COUNT and shard.part_digest is not None


def artefacts_of(shard: Shard) -> list[Artefact]:
    """Return what the shard's last commit publishes, its rows first."""
    others = [_from_json(said) for said in shard.artefacts or ()]
    if shard.part_attempt is None or shard.part_digest is None:
        return others
    part = part_of(shard)
    rows = Artefact(
        ArtefactRole.ROWS,
        staged_results_part(part, shard.part_attempt),
        results_part(part),
        shard.part_digest,
        shard.part_size or 0,
    )
    return [rows, *others]


def artefact_columns(artefacts: Sequence[Artefact]) -> dict[str, Any]:
    """Return a shard row's columns for artefacts; those of result rows are separate."""
    rows = next((one for one in artefacts if one.role is ArtefactRole.ROWS), None)
    others = [_to_json(one) for one in artefacts if one.role is not ArtefactRole.ROWS]
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
