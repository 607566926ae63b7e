from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from core.errors import BadInputError
from core.options import JobOptions
from predictions.answer import Answer
from tests.bench import OPTIONS
from vision.draw.by_task import draw
from vision.ops.preprocess import Prepared
from vision.outputs.ctc import LineText
from vision.outputs.text_regions import TextRegions
from worker.recipes.ocr import OcrRecipe
from worker.recipes.recipe import Ask

ANY = OPTIONS.but(threshold=0.0)


def prepared(image: Any) -> Prepared:
    pair = np.ones(2, np.float32)
    return Prepared(np.asarray(image, np.float32), pair, pair)


def reading(*boxes: tuple[int, int, int, int], turns: bool = False) -> OcrRecipe:
    """Networks whose detector finds these boxes, whatever it sees."""
    quads = np.array(
        [[[x1, y1], [x2, y1], [x2, y2], [x1, y2]] for x1, y1, x2, y2 in boxes], np.float32
    ).reshape(-1, 4, 2)
    regions = TextRegions(quads, np.ones(len(boxes), np.float32))
    detector: Any = SimpleNamespace(prepare=prepared, regions=lambda *_: regions)
    recognizer: Any = SimpleNamespace(prepare=prepared)
    orientation: Any = SimpleNamespace(prepare=prepared, labels=("0_degree", "180_degree"))
    return OcrRecipe(detector, recognizer, orientation if turns else None)


def ran(
    recipe: OcrRecipe, image: Any, answers: Sequence[Sequence[Any]], options: JobOptions = ANY
) -> tuple[Answer, list[Sequence[Ask]]]:
    """The answer where each step's asks get these, and what was asked."""
    steps, asked = recipe.steps(image, options), []
    given: Any = None
    queue = iter(answers)
    try:
        while True:
            asked.append(steps.send(given))
            given = next(queue)
    except StopIteration as end:
        return end.value, asked


@pytest.fixture
def page() -> Any:
    return np.random.default_rng(0).integers(0, 255, (60, 200, 3)).astype(np.uint8)


def test_each_line_is_read_where_it_stands(page: Any) -> None:
    recipe = reading((10, 5, 90, 25), (100, 30, 180, 50))
    texts = [LineText("one", 0.9), LineText("two", 0.8)]
    answer, asked = ran(recipe, page, [[None], texts])
    assert [[ask.role for ask in asks] for asks in asked] == [["text_det"], ["text_rec"] * 2]
    assert np.array_equal(asked[1][0].prepared.image, page[5:25, 10:90])
    found = answer.detections
    assert found is not None
    assert found.texts == ("one", "two")
    assert found.scores == pytest.approx([0.9, 0.8])
    assert found.xyxy.tolist() == [[10, 5, 90, 25], [100, 30, 180, 50]]
    assert found.polygons is not None
    assert found.polygons[1].tolist() == [[100, 30], [180, 30], [180, 50], [100, 50]]
    assert draw("ocr", page, answer, OPTIONS.drawing).any()


def test_lines_upside_down_are_turned_before_they_are_read(page: Any) -> None:
    recipe = reading((10, 5, 90, 25), (100, 30, 180, 50), (0, 0, 40, 10), turns=True)
    sure, unsure, upright = np.array([0.02, 0.98]), np.array([0.2, 0.8]), np.array([0.9, 0.1])
    texts = [LineText("a", 1.0)] * 3
    _, asked = ran(recipe, page, [[None], [sure, unsure, upright], texts])
    assert [asks[0].role for asks in asked] == ["text_det", "orientation", "text_rec"]
    lines = [ask.prepared.image for ask in asked[2]]
    assert np.array_equal(lines[0], page[5:25, 10:90][::-1, ::-1])
    assert np.array_equal(lines[1], page[30:50, 100:180])
    assert np.array_equal(lines[2], page[0:10, 0:40])


def test_no_text_is_an_answer(page: Any) -> None:
    answer, asked = ran(reading(turns=True), page, [[None]])
    assert len(asked) == 1
    assert answer.detections is not None
    assert len(answer.detections.scores) == 0
    draw("ocr", page, answer, OPTIONS.drawing)


def test_what_says_nothing_or_is_unsure_is_left_out(page: Any) -> None:
    recipe = reading((0, 0, 40, 10), (0, 20, 40, 30), (0, 40, 40, 50))
    texts = [LineText("", 0.0), LineText("unsure", 0.4), LineText("sure", 0.6)]
    for threshold, expected in ((None, ["sure"]), (0.3, ["unsure", "sure"]), (0.7, [])):
        options = OPTIONS.but(threshold=threshold)
        answer, _ = ran(recipe, page, [[None], texts], options)
        assert answer.detections is not None
        assert answer.detections.texts == tuple(expected)


def test_a_page_of_many_lines_is_read_in_parts(page: Any) -> None:
    recipe = reading(*[(0, 0, 40, 10)] * 40)
    answers = [[LineText("x", 1.0)] * count for count in (16, 16, 8)]
    answer, asked = ran(recipe, page, [[None], *answers])
    assert [len(asks) for asks in asked] == [1, 16, 16, 8]
    assert answer.detections is not None
    assert len(answer.detections.scores) == 40


def test_a_probability_that_is_no_number_ends_the_picture(page: Any) -> None:
    with pytest.raises(BadInputError, match="NaN"):
        ran(reading((0, 0, 40, 10)), page, [[None], [LineText("x", float("nan"))]])
