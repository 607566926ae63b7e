from pathlib import Path

from tests.acceptance.outcome import Outcome
from tests.acceptance.pictures import COUNT


def test_every_picture_has_one_result_in_listing_order(
    undisturbed: Outcome, pictures: Path
) -> None:
    assert undisturbed.state == "succeeded"
    assert [row["item"] for row in undisturbed.rows] == sorted(p.name for p in pictures.iterdir())
    assert len(undisturbed.rows) == COUNT
    assert len(undisturbed.parts) == 4
    assert all(row["detections"] for row in undisturbed.rows)


def test_every_picture_is_drawn(undisturbed: Outcome) -> None:
    assert {row["annotated"] for row in undisturbed.rows} == set(undisturbed.pictures)
    assert len(set(undisturbed.pictures.values())) == COUNT
