from core.kinds import BEFORE_KINDS, COUNT, KNOWN, NEED_ENGINE, TRAITS, ArtefactRole, ShardKind
from core.layout import artefact, child_part, part_name, part_order, staged_artefact


def test_each_kind_has_its_traits() -> None:
    assert set(TRAITS) == set(ShardKind) == KNOWN


def test_what_runs_networks_needs_an_engine_and_nothing_else_does() -> None:
    assert {ShardKind.INFER, ShardKind.TRACK, ShardKind.PREPARE} == NEED_ENGINE


def test_items_that_count_end_as_rows() -> None:
    assert all(ArtefactRole.ROWS in TRAITS[kind].makes for kind in COUNT)
    assert {ShardKind.INFER} == BEFORE_KINDS <= COUNT


def test_a_child_is_named_after_its_parent() -> None:
    child = child_part(part_name(12), 3)
    assert child == "000012-003"
    assert artefact(ArtefactRole.ROWS, child, ".parquet") == "results/part-000012-003.parquet"
    assert artefact(ArtefactRole.VIDEO, child, ".mp4") == "videos/part-000012-003.mp4"
    assert (
        staged_artefact(ArtefactRole.MASKS, child, 2, ".mkv") == "_attempts/000012-003/2/masks.mkv"
    )


def test_children_come_behind_their_parent() -> None:
    parts = ["9", "000010", "000010-000", "000010-999", "000010-1000", "000011", "1000000"]
    assert sorted(sorted(parts), key=part_order) == parts
