import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from core.states import (
    ENDED_JOBS,
    ENDED_SHARDS,
    JobMoves,
    JobState,
    Move,
    ShardMoves,
    ShardState,
)

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
EDGE = re.compile(r"^ +(\S+) --> ([^\s:]+)(?:: (\w+))?$")
Edge = tuple[str, str, str | None]


def diagram(heading: str) -> list[Edge]:
    text = PAGE.read_text(encoding="utf-8").partition(f"\n### {heading}\n")[2]
    block = text.partition("```mermaid\nstateDiagram-v2\n")[2].partition("```")[0]
    matches = [EDGE.match(line) for line in block.splitlines()]
    assert all(matches), "a line of the diagram is no edge"
    return [(m[1], m[2], m[3]) for m in matches if m]


def table(moves: type) -> set[Edge]:
    found: Iterable[Move[Any]] = (move for move in vars(moves).values() if isinstance(move, Move))
    return {
        (source.value, move.target.value, move.name) for move in found for source in move.sources
    }


@pytest.mark.parametrize(
    ("heading", "moves", "ended"),
    [("Job", JobMoves, ENDED_JOBS), ("Shard", ShardMoves, ENDED_SHARDS)],
)
def test_the_diagram_shows_exactly_the_table_of_moves(
    heading: str, moves: type, ended: frozenset[StrEnum]
) -> None:
    edges = diagram(heading)

    assert len(edges) == len(set(edges))
    assert {edge for edge in edges if "[*]" not in edge} == table(moves)
    assert {source for source, target, _ in edges if target == "[*]"} == {s.value for s in ended}


@pytest.mark.parametrize(("heading", "states"), [("Job", JobState), ("Shard", ShardState)])
def test_the_diagram_shows_every_state(heading: str, states: type[StrEnum]) -> None:
    shown = {end for source, target, _ in diagram(heading) for end in (source, target)}

    assert shown - {"[*]"} == {state.value for state in states}
