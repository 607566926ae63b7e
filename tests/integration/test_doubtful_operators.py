"""What oneDNN of Paddle 3.2.2 gets wrong beside the interpolations."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import FatalError, RegattaError
from core.ways import Way
from tests.programs import distance, load
from worker.engines.paddle.engine import ways
from worker.engines.paddle.graph import read_graph
from worker.engines.paddle.interpolations import export_program
from worker.engines.paddle.vendor import paddle

Array = NDArray[np.float32]
Build = Callable[..., Any]

nn = paddle.nn.functional


def averaged(picture: Array, kernel: int, stride: int, pad: int) -> Array:
    """Means over windows; one that hangs over the border has fewer pixels to average."""
    rows, columns = (
        [
            slice(max(0, start), start + kernel)
            for start in range(-pad, side + pad - kernel + stride, stride)
        ]
        for side in picture.shape[2:]
    )
    lines = [[picture[..., row, column].mean((2, 3)) for column in columns] for row in rows]
    return np.stack([np.stack(line, -1) for line in lines], -2)


CASES: dict[str, tuple[Build, Callable[..., Array], list[tuple[int, ...]]]] = {
    "division": (lambda x, y: x / (y * y + 1), lambda x, y: x / (y * y + 1), [(5, 1), (3, 5, 4)]),
    "average pooling": (
        lambda x: nn.avg_pool2d(x, 2, 2, ceil_mode=True, exclusive=False),
        lambda x: averaged(x, 2, 2, 0),
        [(3, 5, 13, 9)],
    ),
    "softplus": (
        lambda x: nn.softplus(x, threshold=2.0),
        lambda x: np.where(x > 2, x, np.log1p(np.exp(x))),
        [(3, 5, 4)],
    ),
    "pad": (
        lambda x: nn.pad(x, [0, 0, 1, 2, 0, 3], value=0.5),
        lambda x: np.pad(x, [(0, 0), (1, 2), (0, 3)], constant_values=0.5),
        [(3, 5, 4)],
    ),
    "average pooling, padded": (
        lambda x: nn.avg_pool2d(x, 3, 3, 1, ceil_mode=True),
        lambda x: averaged(x, 3, 3, 1),
        [(3, 5, 13, 9)],
    ),
}
DEADLY, REFUSED = "pad", "average pooling, padded"


def export(name: str, prefix: Path, new_ir: bool) -> Path:
    build, _, shapes = CASES[name]

    def outputs(inputs: list[Any]) -> list[Any]:
        one = paddle.nn.initializer.Constant(1.0)  # a parameter, as an older program must have some
        same = paddle.static.create_parameter([1], "float32", default_initializer=one)
        return [build(*(value * same for value in inputs))]

    return export_program(outputs, shapes, prefix, new_ir=new_ir)


def feeds_of(name: str) -> dict[str, Array]:
    noise = np.random.default_rng(1)
    shapes = CASES[name][2]
    return {f"x{n}": 3 * noise.normal(size=s).astype(np.float32) for n, s in enumerate(shapes)}


new_and_old = pytest.mark.parametrize("new_ir", [True, False], ids=["json", "pdmodel"])


@new_and_old
@pytest.mark.parametrize("name", CASES)
def test_it_is_steered_clear_of(name: str, new_ir: bool, tmp_path: Path) -> None:
    graph = export(name, tmp_path / "model", new_ir)
    feeds = feeds_of(name)
    expected = CASES[name][1](*feeds.values())

    assert ways(graph) == (Way.ONEDNN_UNPLACED,)
    for way in (Way.PLAIN, Way.ONEDNN_UNPLACED):
        for predictor in load(graph, way):
            assert distance(predictor.predict(feeds), [expected]) < 1e-5


@new_and_old
@pytest.mark.parametrize("name", sorted(CASES.keys() - {DEADLY}))
def test_it_is_not_mended_yet(name: str, new_ir: bool, tmp_path: Path) -> None:
    feeds = feeds_of(name)
    predictor, _ = load(export(name, tmp_path / "model", new_ir), Way.ONEDNN)

    if name == REFUSED:
        with pytest.raises(RegattaError):
            predictor.predict(feeds)
    else:
        assert distance(predictor.predict(feeds), [CASES[name][1](*feeds.values())]) > 0.01


@pytest.mark.parametrize("name", ["model.json", "model.pdmodel"])
@pytest.mark.parametrize("content", [b"\xff" * 100, b"{", b'{"program": {"regions": [1]}}'])
def test_a_graph_that_cannot_be_read_runs_plainly_if_at_all(
    name: str, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FatalError, match=name):
        read_graph(tmp_path / name)
    assert ways(tmp_path / name) == ()


@pytest.mark.parametrize("name", ["model.json", "model.pdmodel"])
def test_a_graph_that_is_not_there_is_fatal_and_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(FatalError, match=name):
        ways(tmp_path / name)


def test_what_stands_in_a_branch_is_read_too(tmp_path: Path) -> None:
    def build(inputs: list[Any]) -> list[Any]:
        (x,) = inputs
        small = paddle.mean(x) < 0
        return [paddle.static.nn.cond(small, lambda: nn.pad(x, [0, 0, 1, 2]), lambda: x)]

    graph = export_program(build, [(3, 4)], tmp_path / "model")

    assert "pad" in [each.kind for each in read_graph(graph)]
