"""The kinds of shards: what each needs, whether its items count, and what it makes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class ShardKind(StrEnum):
    """What a shard does. Rows may name kinds of a newer version, which are left to it."""

    INFER = "infer"  # runs a model over items
    RENDER = "render"  # draws pictures of items from their rows
    PROBE = "probe"  # looks into items, and plans what it finds as child shards
    TRACK = "track"  # follows detections from frame to frame
    STITCH = "stitch"  # joins segments
    COMPACT = "compact"  # makes flat tables of another job's results, and moves old results
    PREPARE = "prepare"  # converts, compares, measures and builds what an engine runs


class ArtefactRole(StrEnum):
    """What an object that a commit publishes is for."""

    ROWS = "rows"
    VIDEO = "video"  # a segment of a video, or all of it
    MASKS = "masks"  # the same, of masks
    TABLES = "tables"  # flat tables, for queries
    CARRIED = "carried"  # where the results lie that a job took over


@dataclass(frozen=True, slots=True)
class KindTraits:
    """What the control plane needs to know about a kind.

    If `needs_engine`, only a worker that offers the job's profile takes it. If `counts`, its items
    are the job's, and each ends with a row in one of its parts; other kinds work on what those
    made. `makes` lists the artefacts that a commit may publish.
    """

    needs_engine: bool
    counts: bool
    makes: frozenset[ArtefactRole] = frozenset()


_ROWS, _VIDEO, _MASKS = ArtefactRole.ROWS, ArtefactRole.VIDEO, ArtefactRole.MASKS
_TABLES, _CARRIED = ArtefactRole.TABLES, ArtefactRole.CARRIED

TRAITS: Mapping[ShardKind, KindTraits] = {
    ShardKind.INFER: KindTraits(True, True, frozenset({_ROWS, _VIDEO, _MASKS})),
    ShardKind.RENDER: KindTraits(False, True, frozenset({_ROWS, _VIDEO, _MASKS})),
    ShardKind.PROBE: KindTraits(False, True, frozenset({_ROWS})),
    ShardKind.TRACK: KindTraits(True, False, frozenset({_ROWS})),
    ShardKind.STITCH: KindTraits(False, False, frozenset({_VIDEO, _MASKS})),
    ShardKind.COMPACT: KindTraits(False, False, frozenset({_ROWS, _TABLES, _CARRIED})),
    ShardKind.PREPARE: KindTraits(True, False),
}


def _those(has: Callable[[KindTraits], bool]) -> frozenset[ShardKind]:
    return frozenset(kind for kind, traits in TRAITS.items() if has(traits))


KNOWN = frozenset(TRAITS)
NEED_ENGINE = _those(lambda traits: traits.needs_engine)
COUNT = _those(lambda traits: traits.counts)
"""Kinds whose items are the job's, and whose parts are the job's results."""

BEFORE_KINDS = frozenset({ShardKind.INFER})
"""What a process of a version without kinds runs: it treats every shard as this kind."""
