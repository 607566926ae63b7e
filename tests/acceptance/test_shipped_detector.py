"""The shipped detector, run by Regatta over scenes that it never saw, judged by COCO's own code."""

from pathlib import Path

from sample.shipped import DETECTOR
from training.evaluate import measure

SCENES = 40


def test_the_shipped_detector_finds_what_its_card_promises(tmp_path: Path) -> None:
    measured = measure(DETECTOR, SCENES, tmp_path)

    assert measured.ap50 >= 0.85
    assert min(measured.class_ap50.values()) > 0.6
