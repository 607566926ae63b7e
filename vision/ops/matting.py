"""The transforms of a matting model's `deploy.yaml`, and their inverse for its output.

Source: PaddleSeg, `Matting/ppmatting/transforms` and `Matting/deploy/python/infer.py`. Unlike in
segmentation, pictures stay bytes until they are normalized, so each scaling rounds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from vision.ops.detection import Op
from vision.ops.resize import Size
from vision.ops.segmentation import (
    TRANSFORMS,
    Padding,
    SegmentationResize,
    parse_transforms,
    scaled,
)

LOADING = "LoadImages"
"""The transform that begins every matting model's list, and no other's."""


def parse_matting(entries: Sequence[Any]) -> tuple[Op, ...]:
    """Return the operators that a list of mappings (`type` and arguments) describes, in order.

    Raises:
        UsageError: A transform or an argument is unknown or makes no sense.
    """
    steps = []
    for entry in entries:
        if not isinstance(entry, Mapping) or entry.get("type") != LOADING:
            steps.append(entry)
        elif not entry.get("to_rgb", True):
            raise UsageError("models that read BGR (LoadImages with to_rgb false) cannot be run")
    return parse_transforms(steps, _KNOWN)


def restored_alpha(
    alpha: NDArray[np.float32], ops: Sequence[Op], size: Size
) -> NDArray[np.float32]:
    """Return a map [H,W] of the graph's input at the size (h, w) of the source before `ops`.

    Every step of the preparation is undone, last one first: padding is cut off, and scaling is
    undone linearly.
    """
    undo: list[tuple[bool, Size]] = []
    for op in ops:
        if isinstance(op, SegmentationResize | Padding):
            undo.append((isinstance(op, Padding), size))
            size = op.target(size)
    for is_padding, (height, width) in reversed(undo):
        if is_padding:
            alpha = np.ascontiguousarray(alpha[:height, :width])
        else:
            alpha = np.asarray(cv2.resize(alpha, (width, height)), np.float32)
    return alpha


def _resize(target_size: Sequence[int] = (512, 512), *, random_interp: bool = False) -> Op:
    if random_interp:
        raise ValueError("random_interp is for training")
    return TRANSFORMS["Resize"](target_size)


def _limit_short(max_short: int | None = None, min_short: int | None = None) -> Op:
    def limited(size: Size) -> Size:
        shortest = min(size)
        if max_short is not None and shortest > max_short:
            return scaled(size, max_short / shortest)
        if min_short is not None and shortest < min_short:
            return scaled(size, min_short / shortest)
        return size

    return SegmentationResize(limited)


def _to_multiple(mult_int: int = 32) -> Op:
    # Less than one multiple would round to nothing, on which the official tool crashes.
    return SegmentationResize(
        lambda size: (
            max(mult_int, size[0] - size[0] % mult_int),
            max(mult_int, size[1] - size[1] % mult_int),
        )
    )


def _padding(target_size: Sequence[int], im_padding_value: Sequence[float] = (127.5,) * 3) -> Op:
    width, height = map(int, target_size)
    red, green, blue = map(float, im_padding_value)
    return Padding(lambda size: (max(height, size[0]), max(width, size[1])), (red, green, blue))


def _in_bytes(make: Callable[..., Op]) -> Callable[..., Op]:
    def made(**arguments: Any) -> Op:
        op = make(**arguments)
        return replace(op, as_float=False) if isinstance(op, SegmentationResize | Padding) else op

    return made


_MAKERS: dict[str, Callable[..., Op]] = {
    "Resize": _resize,
    "ResizeByLong": TRANSFORMS["ResizeByLong"],
    "ResizeByShort": TRANSFORMS["ResizeByShort"],
    "ResizeToIntMult": _to_multiple,
    "LimitLong": TRANSFORMS["LimitLong"],
    "LimitShort": _limit_short,
    "Padding": _padding,
    "Normalize": TRANSFORMS["Normalize"],
}
_KNOWN = {name: _in_bytes(make) for name, make in _MAKERS.items()}
