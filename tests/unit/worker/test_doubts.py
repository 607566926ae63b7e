from typing import Any

import pytest

from worker.engines.paddle.doubts import TINY, doubted
from worker.engines.paddle.graph import Operator, Shape

FREE = (-1, 8, -1, -1)


def doubt(operator: Operator, *, new_ir: bool = True) -> str | None:
    found = doubted([operator], new_ir=new_ir)
    return found[0][1] if found else None


def interpolation(
    kind: str, before: Shape | None, after: Shape | None, *tensors: Shape, **attributes: Any
) -> Operator:
    return Operator(kind, f"{kind}_interp", attributes, (before, *tensors), after)


@pytest.mark.parametrize(
    ("kind", "before", "after", "attributes", "expected"),
    [
        # a free size is as bad as it can be
        ("nearest", FREE, FREE, {"scale": [2.0, 2.0]}, TINY),
        ("bilinear", FREE, FREE, {"scale": [2.0, 2.0]}, TINY),
        ("nearest", FREE, FREE, {"scale": []}, "nearest, by no whole number"),
        ("nearest", (-1, 8, 1, 1), FREE, {"scale": [2.0, 2.0]}, "nearest, of 1 x 1"),
        ("bilinear", (-1, 8, 1, 1), FREE, {"scale": [2.0, 2.0]}, "bilinear, of 1 x 1"),
        ("nearest", None, None, {"scale": [2.0, 2.0]}, "nearest, of 1 x 1"),
        # one side of more than one pixel is enough
        ("nearest", (-1, 8, 32, -1), FREE, {"scale": [2.0, 2.0]}, None),
        ("nearest", (-1, 8, 32, -1), FREE, {"scale": [2.0, 1.5]}, "nearest, by no whole number"),
        ("nearest", (-1, 8, 32, -1), FREE, {"scale": [2.0, 0.5]}, "nearest, by no whole number"),
        ("nearest", (-1, 8, 32, -1), FREE, {"scale": []}, "nearest, by no whole number"),
        ("nearest", (-1, 8, 4, 4), (-1, 8, 12, 4), {"scale": []}, None),
        ("nearest", (-1, 4, 4, 8), (-1, 8, 8, 8), {"data_format": "NHWC"}, None),
        (
            "nearest",
            (-1, 8, 4, 4),
            (-1, 8, 8, 8),
            {"align_corners": True},
            "nearest, align_corners",
        ),
        ("bilinear", (-1, 8, 32, -1), FREE, {"scale": [2.0, 1.0]}, None),
        ("bilinear", (-1, 8, 32, -1), FREE, {"scale": [0.5, 2.0]}, TINY),
        ("bilinear", (-1, 8, 5, 6), (-1, 8, 3, 1), {}, "bilinear, down to 1"),
        ("bilinear", (-1, 8, 5, 1), (-1, 8, 3, 1), {}, None),
        ("bilinear", (-1, 8, 5, 6), FREE, {}, TINY),
        ("bilinear", (-1, 8, 5, 6), None, {}, TINY),
        ("bilinear", (-1, 8, 5, 6), (-1, 8, 7, 9), {"align_mode": 0}, None),
        ("bicubic", FREE, FREE, {"align_corners": True}, None),
        (
            "legacy_nearest",
            (-1, 8, 4, 4),
            (-1, 8, 8, 8),
            {},
            "legacy_nearest_interp, as of Paddle 1",
        ),
    ],
)
def test_an_interpolation_is_right_only_if_that_is_certain(
    kind: str, before: Shape, after: Shape, attributes: dict[str, Any], expected: str | None
) -> None:
    assert doubt(interpolation(kind, before, after, **attributes)) == expected


def test_a_size_from_a_tensor_outweighs_the_scale() -> None:
    sized = interpolation("nearest", (-1, 8, 4, 4), FREE, (2,), scale=[2.0, 2.0])
    assert doubt(sized) == "nearest, by no whole number"


def test_an_older_graph_has_its_bilinear_ones_done_by_paddle() -> None:
    assert doubt(interpolation("bilinear", FREE, FREE, align_corners=True), new_ir=False) is None


@pytest.mark.parametrize(
    ("first", "second", "axis", "wrong"),
    [
        ((-1, 4, 8), (-1, 4, 8), -1, False),
        ((-1, 4, 8), (-1, 1, 8), -1, False),
        ((-1, 4, 8), (8,), -1, False),
        ((-1, 4, 8), (), -1, False),
        ((2, 4, 8), (-1, 4, 8), -1, False),
        ((1, 4, 8), (-1, 4, 8), -1, True),
        ((-1, 4, 8), (2, 4, 8), -1, True),
        ((4, 1), (4, 8), -1, True),
        ((8,), (4, 8), -1, True),
        ((), (4, 8), -1, True),
        ((2, 4, 8), (4,), 1, True),
        (None, (4, 8), -1, True),
    ],
)
def test_a_division_of_the_smaller_is_doubted(
    first: Shape | None, second: Shape, axis: int, wrong: bool
) -> None:
    divide = Operator("divide", "divide", {"axis": axis}, (first, second), None)
    assert bool(doubt(divide)) is wrong


@pytest.mark.parametrize(
    ("attributes", "wrong"),
    [
        ({"ceil_mode": False, "exclusive": False}, False),
        ({"exclusive": False}, True),
        ({"exclusive": True}, False),
        ({"exclusive": True, "paddings": [1, 1]}, True),
        ({"exclusive": True, "padding_algorithm": "SAME"}, True),
        ({"exclusive": False, "adaptive": True}, False),
        ({"exclusive": False, "global_pooling": True}, False),
        ({"pooling_type": "max", "paddings": [1, 1]}, False),
        ({"pooling_type": "max", "strides": [2, 4]}, True),
        ({"pooling_type": "max", "kernel_size": None}, True),
    ],
)
def test_pooling_beyond_the_border_is_doubted(attributes: dict[str, Any], wrong: bool) -> None:
    usual = {"ceil_mode": True, "pooling_type": "avg", "kernel_size": [3, 3], "strides": [2, 2]}
    pool = Operator("pool2d", "pool2d", usual | attributes, ((-1, 8, 9, 9),), None)
    assert bool(doubt(pool)) is wrong


def test_what_else_is_doubted() -> None:
    def of(kind: str, inputs: tuple[Shape, ...] = ((4, 8),), **attributes: Any) -> bool:
        return bool(doubt(Operator(kind, kind, attributes, inputs, None), new_ir=False))

    assert of("pad")
    assert not of("pad3d")
    assert of("softplus", beta=1.0, threshold=5.0)
    assert not of("softplus", beta=1.0, threshold=20.0)
    assert of("elementwise_add", ((4, 8), ()))
    assert not of("elementwise_add", ((4, 8), (8,)))
    assert not of("conv2d")
