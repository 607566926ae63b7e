"""The shipped models, run over scenes that they never saw, judged by the truth about those."""

from pathlib import Path

import pytest

from training.recipes import RECIPES

pytestmark = pytest.mark.proof

SCENES = 12
MORE_SCENES = {"detect": 24, "text_det": 30, "text_rec": 24}
LEAST_OF_CLASS = {"detect": 0.6, "segment": 0.3}


@pytest.mark.parametrize("task", RECIPES)
def test_a_shipped_model_is_as_good_as_its_card_promises(task: str, tmp_path: Path) -> None:
    recipe = RECIPES[task]

    measured = recipe.measure(recipe.shipped.directory, MORE_SCENES.get(task, SCENES), tmp_path)
    assert next(iter(measured.scores)) == recipe.shipped.score
    assert measured.score >= recipe.shipped.least
    assert min((measured.classes or {}).values(), default=1) >= LEAST_OF_CLASS.get(task, 0)
    assert f"{recipe.shipped.least:g}" in (recipe.shipped.directory / "README.md").read_text()
