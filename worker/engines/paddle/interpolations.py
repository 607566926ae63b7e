"""Programs that each do one kind of interpolation, and the numbers they should give.

They show what oneDNN gets wrong operator by operator: see `worker.engines.paddle.doubts`.
"""

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.engines.paddle.vendor import paddle

_CHANNELS = 3
_CUBIC = -0.75  # the coefficient of Keys' kernel, as in Paddle, PyTorch and OpenCV

Sides = tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Interpolation:
    """A kind of interpolation, and the sizes from and to which it is tried.

    `name` is what `doubts` calls it, if it is doubted. oneDNN usually kills the process that runs a
    `deadly` one.
    """

    name: str
    mode: str
    sizes: tuple[tuple[Sides, Sides], ...]
    align_corners: bool = False
    align_mode: int = 0
    deadly: bool = False

    def feeds(self, batch: int) -> dict[str, NDArray[np.float32]]:
        """Return noise pictures, one batch for each of `sizes`."""
        noise = np.random.default_rng(batch)
        shapes = [(batch, _CHANNELS, *source) for source, _ in self.sizes]
        return {
            f"x{n}": noise.normal(size=shape).astype(np.float32) for n, shape in enumerate(shapes)
        }

    def truth(self, feeds: dict[str, NDArray[np.float32]]) -> list[NDArray[Any]]:
        """Return the correct outputs for `feeds`, computed one axis at a time."""
        found: list[NDArray[Any]] = []
        for picture, (source, target) in zip(feeds.values(), self.sizes, strict=True):
            result: NDArray[Any] = picture.astype(np.float64)
            for axis, (before, after) in enumerate(zip(source, target, strict=True), start=2):
                shares = self._shares(before, after)
                result = np.moveaxis(np.tensordot(result, shares, ([axis], [1])), -1, axis)
            found.append(result)
        return found

    def _shares(self, before: int, after: int) -> NDArray[np.float64]:
        """Return the weight of each of `before` pixels in each of `after`: [after, before]."""
        shares = np.zeros((after, before))
        for pixel in range(after):
            for taken, share in self._taken(pixel, before, after):
                shares[pixel, min(max(taken, 0), before - 1)] += share
        return shares

    def _taken(self, pixel: int, before: int, after: int) -> Sequence[tuple[int, float]]:
        if self.mode == "nearest":
            return [(pixel * before // after, 1.0)]
        if self.mode == "area":
            span = range(pixel * before // after, -(-(pixel + 1) * before // after))
            return [(taken, 1 / len(span)) for taken in span]
        at = self._position(pixel, before, after)
        low = int(np.floor(at))
        if self.mode == "bicubic":
            return [(low + n, _cubic(abs(at - low - n))) for n in (-1, 0, 1, 2)]
        return [(low, 1 - (at - low)), (low + 1, at - low)]

    def _position(self, pixel: int, before: int, after: int) -> float:
        if after == 1:
            return 0.0  # Paddle's own rule
        if self.align_corners:
            return pixel * (before - 1) / (after - 1)
        if self.align_mode == 1:
            return pixel * before / after
        middle = (pixel + 0.5) * before / after - 0.5
        return middle if self.mode == "bicubic" else max(middle, 0.0)


def _cubic(distance: float) -> float:
    if distance < 1:
        return ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance**2 + 1
    return _CUBIC * (((distance - 5) * distance + 8) * distance - 4)


_PLANES = (((8, 6), (16, 12)), ((5, 7), (15, 21)), ((5, 8), (8, 20)), ((16, 13), (8, 5)))
_LINES = (((6,), (12,)), ((5,), (8,)), ((13,), (5,)))
_VOLUMES = (((2, 4, 3), (4, 8, 6)), ((3, 5, 7), (4, 8, 5)))
_WHOLE = (((8, 6), (16, 12)), ((5, 7), (15, 7)), ((1, 6), (3, 12)), ((2, 3, 4), (4, 3, 8)))
_BROKEN = (((5, 8), (8, 20)), ((16, 8), (8, 8)), ((7, 13), (20, 5)), ((2, 3, 4), (3, 6, 8)))
_OF_ONE = (((1, 1), (5, 6)),)
_TO_ONE = (((5, 6), (1, 1)), ((5, 6), (10, 1)))

INTERPOLATIONS = (
    Interpolation("bilinear", "bilinear", _PLANES),
    Interpolation("bilinear, align_corners", "bilinear", _PLANES, align_corners=True),
    Interpolation("bilinear, align_mode 1", "bilinear", _PLANES, align_mode=1),
    Interpolation("bilinear, down to 1", "bilinear", _TO_ONE),
    Interpolation("bilinear, of 1 x 1", "bilinear", _OF_ONE, deadly=True),
    Interpolation("nearest", "nearest", _WHOLE),
    Interpolation("nearest, by no whole number", "nearest", _BROKEN),
    Interpolation("nearest, of 1 x 1", "nearest", _OF_ONE, deadly=True),
    Interpolation("bicubic", "bicubic", _PLANES),
    Interpolation("bicubic, align_corners", "bicubic", _PLANES, align_corners=True),
    Interpolation("linear", "linear", _LINES),
    Interpolation("linear, align_corners", "linear", _LINES, align_corners=True),
    Interpolation("linear, align_mode 1", "linear", _LINES, align_mode=1),
    Interpolation("trilinear", "trilinear", _VOLUMES),
    Interpolation("trilinear, align_corners", "trilinear", _VOLUMES, align_corners=True),
    Interpolation("trilinear, align_mode 1", "trilinear", _VOLUMES, align_mode=1),
    Interpolation("area", "area", _PLANES),
)


def export_interpolation(kind: Interpolation, prefix: Path, *, new_ir: bool = True) -> Path:
    """Write a program that does one kind, and return its graph; see `export_program`."""

    def build(inputs: list[Any]) -> list[Any]:
        return [
            paddle.nn.functional.interpolate(
                _unchanged(value, convolved=not kind.deadly),
                size=list(target),
                mode=kind.mode,
                align_corners=kind.align_corners,
                align_mode=kind.align_mode,
                data_format={1: "NCW", 2: "NCHW", 3: "NCDHW"}[len(target)],
            )
            for value, (_, target) in zip(inputs, kind.sizes, strict=True)
        ]

    shapes = [(-1, _CHANNELS, *source) for source, _ in kind.sizes]
    return export_program(build, shapes, prefix, new_ir=new_ir)


def export_program(
    build: Callable[[list[Any]], list[Any]],
    shapes: Sequence[tuple[int, ...]],
    prefix: Path,
    *,
    new_ir: bool = True,
) -> Path:
    """Write a program, and return its graph: `prefix`.json, or `prefix`.pdmodel for the old IR.

    Args:
        build: Makes the outputs from the inputs. The old IR needs it to use a parameter.
        shapes: The shapes of the inputs x0, x1 ...; -1 where a side is free.
        prefix: Where to write it; `.pdiparams` is written beside it.
        new_ir: Whether to write as Paddle 3 does.
    """
    static = not paddle.in_dynamic_mode()
    paddle.enable_static()
    try:
        with nullcontext() if new_ir else paddle.pir_utils.OldIrGuard():
            _save(build, shapes, str(prefix))
    finally:
        if not static:
            paddle.disable_static()
    return prefix.with_suffix(".json" if new_ir else ".pdmodel")


def _save(
    build: Callable[[list[Any]], list[Any]], shapes: Sequence[tuple[int, ...]], prefix: str
) -> None:
    program, start = paddle.static.Program(), paddle.static.Program()
    with paddle.static.program_guard(program, start), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs = [
            paddle.static.data(f"x{n}", list(shape), "float32") for n, shape in enumerate(shapes)
        ]
        outputs = build(inputs)
        executor = paddle.static.Executor(paddle.CPUPlace())
        executor.run(start)
        paddle.static.save_inference_model(prefix, inputs, outputs, executor, program=program)


def _unchanged(value: Any, *, convolved: bool) -> Any:
    """Multiply by one: in a convolution, so that oneDNN owns the layout, or else by a scalar.

    oneDNN correctly interpolates whatever its own convolution produced, even a single pixel.
    """
    axes = len(value.shape) - 2
    one = np.eye(_CHANNELS, dtype=np.float32).reshape(_CHANNELS, _CHANNELS, *[1] * axes)
    one = one if convolved else np.ones(1, np.float32)
    weight = paddle.static.create_parameter(
        list(one.shape), "float32", default_initializer=paddle.nn.initializer.Assign(one)
    )
    return (
        getattr(paddle.nn.functional, f"conv{axes}d")(value, weight)
        if convolved
        else value * weight
    )
