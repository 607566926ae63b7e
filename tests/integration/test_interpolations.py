import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.ways import Way
from tests.programs import distance, load
from worker.engines.paddle.engine import ways
from worker.engines.paddle.interpolations import (
    INTERPOLATIONS,
    Interpolation,
    export_interpolation,
    export_program,
)
from worker.engines.paddle.vendor import paddle

nn: Any = paddle.nn.functional

BY_NAME = {kind.name: kind for kind in INTERPOLATIONS}

# What oneDNN of 3.2.2 gets wrong, and must not get. If a newer Paddle mends it, so says this test.
WRONG = {
    True: {
        "bilinear, align_corners",
        "bilinear, align_mode 1",
        "bilinear, down to 1",
        "nearest, by no whole number",
    },
    False: {"nearest, by no whole number"},
}
DEADLY = {
    True: {"bilinear, of 1 x 1", "nearest, of 1 x 1"},
    False: {"nearest, of 1 x 1"},
}

Graph = Callable[[Interpolation, bool], Path]


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    made: dict[tuple[str, bool], Path] = {}

    def make(kind: Interpolation, new_ir: bool) -> Path:
        if (kind.name, new_ir) not in made:
            prefix = tmp_path_factory.mktemp("interpolation") / "model"
            made[kind.name, new_ir] = export_interpolation(kind, prefix, new_ir=new_ir)
        return made[kind.name, new_ir]

    return make


new_and_old = pytest.mark.parametrize("new_ir", [True, False], ids=["json", "pdmodel"])


@new_and_old
@pytest.mark.parametrize("name", BY_NAME)
def test_whatever_way_is_offered_gives_the_right_numbers(
    name: str, new_ir: bool, graph: Graph
) -> None:
    kind, model = BY_NAME[name], graph(BY_NAME[name], new_ir)
    offered = ways(model)

    assert (Way.ONEDNN in offered) == (name not in WRONG[new_ir] | DEADLY[new_ir])
    assert offered[-1] is Way.ONEDNN_UNPLACED or not new_ir
    for way in (Way.PLAIN, *offered):
        predictors = load(model, way)  # the first, and a clone
        for batch in (1, 3):
            feeds = kind.feeds(batch)
            for predictor in predictors:
                assert distance(predictor.predict(feeds), kind.truth(feeds)) < 1e-5, way


@pytest.mark.parametrize(
    ("name", "new_ir"),
    [(name, new_ir) for new_ir, names in WRONG.items() for name in sorted(names)],
)
def test_what_is_not_offered_is_wrong(name: str, new_ir: bool, graph: Graph) -> None:
    kind = BY_NAME[name]
    for one in kind.sizes:  # each of them, lest a right one be given up for nothing
        single = dataclasses.replace(kind, name=f"{name} {one}", sizes=(one,))
        predictor, _ = load(graph(single, new_ir), Way.ONEDNN)
        feeds = single.feeds(1)
        assert distance(predictor.predict(feeds), single.truth(feeds)) > 0.1


@new_and_old
@pytest.mark.parametrize("sides", [(1, 1), (1, 200), (64, 65), (65, 70)])
def test_pictures_of_a_few_pixels_are_left_to_paddle_where_a_graph_takes_any_size(
    sides: tuple[int, int], new_ir: bool, tmp_path: Path
) -> None:
    def build(inputs: list[Any]) -> list[Any]:
        one = paddle.nn.initializer.Constant(1.0)
        same = paddle.static.create_parameter([1], "float32", default_initializer=one)
        return [nn.interpolate(inputs[0] * same, scale_factor=[2.0, 3.0], mode="nearest")]

    model = export_program(build, [(-1, 3, -1, -1)], tmp_path / "model", new_ir=new_ir)
    assert ways(model)[0] is Way.ONEDNN
    pictures = np.random.default_rng(0).normal(size=(8, 3, *sides)).astype(np.float32)
    expected = pictures.repeat(2, 2).repeat(3, 3)
    for predictor in load(model, Way.ONEDNN):
        for _ in range(2):
            assert distance(predictor.predict({"x0": pictures}), [expected]) == 0


@new_and_old
def test_one_pixel_is_still_deadly(new_ir: bool, graph: Graph) -> None:
    model = graph(BY_NAME["nearest, of 1 x 1"], new_ir)
    script = f"""
from pathlib import Path
from core.ways import Way
from tests.programs import distance, load
from worker.engines.paddle.interpolations import INTERPOLATIONS
kind = next(each for each in INTERPOLATIONS if each.name == "nearest, of 1 x 1")
predictor, _ = load(Path({str(model)!r}), Way.ONEDNN)
wrong = []
for batch in (1, 3, 8, 32):
    feeds = kind.feeds(batch)
    wrong.append(not distance(predictor.predict(feeds), kind.truth(feeds)) < 0.1)
print(any(wrong))
"""

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode < 0 or done.stdout.endswith("True\n"), done.stderr
