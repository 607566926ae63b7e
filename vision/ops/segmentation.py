"""The transforms that a `deploy.yaml` can name, with PaddleSeg's arithmetic.

Source: PaddleSeg, `paddleseg/transforms`. Its tools convert a picture to float32 first, so scaling
doesn't round; those for matting don't. Sizes in the YAML are (width, height).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, UsageError
from vision.ops.detection import Op, Permute, Sample, colour
from vision.ops.resize import Size

_INTERPOLATIONS = {
    "NEAREST": cv2.INTER_NEAREST,
    "LINEAR": cv2.INTER_LINEAR,
    "CUBIC": cv2.INTER_CUBIC,
    "AREA": cv2.INTER_AREA,
    "LANCZOS4": cv2.INTER_LANCZOS4,
}
_GREY = (127.5, 127.5, 127.5)


@dataclass(frozen=True, slots=True)
class SegmentationResize(Op):
    """Scales to the size that `target` makes of the image's (h, w), as floats or in its type."""

    target: Callable[[Size], Size]
    interp: int = cv2.INTER_LINEAR
    fixed: Size | None = None
    as_float: bool = True

    keeps_channels_apart: ClassVar[bool] = True

    def apply(self, sample: Sample) -> Sample:
        """Return the scaled image."""
        height, width = sample.image.shape[:2]
        new_height, new_width = self.target((height, width))
        image: NDArray[Any] = sample.image
        if self.as_float:
            image = image.astype(np.float32, copy=False)
        if (new_height, new_width) != (height, width):
            image = cv2.resize(image, (new_width, new_height), interpolation=self.interp)
        scale_yx = (new_height / height, new_width / width)
        return Sample(image, im_shape=(new_height, new_width), scale_factor=scale_yx)

    def output_size(self, size: Size | None) -> Size | None:
        """Return the fixed size, that of a known one, or `None`."""
        return self.fixed or (None if size is None else self.target(size))


@dataclass(frozen=True, slots=True)
class Normalize(Op):
    """Divides by 255, subtracts `mean`, divides by `std` (R, G, B each)."""

    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

    def apply(self, sample: Sample) -> Sample:
        """Return the normalized image, float32."""
        image = sample.image.astype(np.float32) / np.float32(255.0)
        image -= np.asarray(self.mean, np.float64)
        image /= np.asarray(self.std, np.float64)
        return replace(sample, image=image)


@dataclass(frozen=True, slots=True)
class Padding(Op):
    """Pads at the bottom and right to the size that `target` makes of (h, w)."""

    target: Callable[[Size], Size]
    fill: tuple[float, ...] = _GREY
    fixed: Size | None = None
    as_float: bool = True

    def apply(self, sample: Sample) -> Sample:
        """Return the image on its canvas. Raises `BadInputError` if the canvas is too small."""
        height, width = sample.image.shape[:2]
        down, right = np.subtract(self.target((height, width)), (height, width)).tolist()
        if down < 0 or right < 0:
            raise BadInputError(
                "preprocess_failed", f"{width}x{height} does not fit the model's padding"
            )
        image: NDArray[Any] = sample.image
        if self.as_float:
            image = image.astype(np.float32, copy=False)
        image = cv2.copyMakeBorder(
            image,
            0,
            down,
            0,
            right,
            cv2.BORDER_CONSTANT,
            value=self.fill,
        )
        return replace(sample, image=image)

    def output_size(self, size: Size | None) -> Size | None:
        """Return the fixed size, that of a known one, or `None`."""
        return self.fixed or (None if size is None else self.target(size))


def parse_transforms(
    entries: Sequence[Any], known: Mapping[str, Callable[..., Op]] | None = None
) -> tuple[Op, ...]:
    """Return the operators that a list of mappings (`type` and arguments) describes, in order.

    `known` makes operators from arguments, by type; the default is the types of segmentation.

    Raises:
        UsageError: A transform or an argument is unknown or makes no sense.
    """
    return (*(_parse(entry, known or TRANSFORMS) for entry in entries), Permute())


def _parse(entry: Any, known: Mapping[str, Callable[..., Op]]) -> Op:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("type"), str):
        raise UsageError(f"a transform must be a mapping with a type, not {entry!r}")
    name = entry["type"]
    make = known.get(name)
    if make is None:
        raise UsageError(
            f"the model's transform {name!r} is unknown",
            hint=f"this version knows {', '.join(known)}",
        )
    try:
        return make(**{str(key): value for key, value in entry.items() if key != "type"})
    except (TypeError, ValueError, KeyError) as error:
        raise UsageError(f"transform {name} cannot be read: {error}") from error


def _resize(
    target_size: Sequence[int] = (512, 512),
    interp: str = "LINEAR",
    keep_ratio: bool = False,
    size_divisor: int | None = None,
) -> Op:
    width, height = map(int, target_size)

    def fitted(size: Size) -> Size:
        scale = min(max(height, width) / max(size), min(height, width) / min(size))
        fit_height, fit_width = (max(1, round(side * scale)) for side in size)
        if size_divisor:
            fit_height, fit_width = (
                math.ceil(side / size_divisor) * size_divisor for side in (fit_height, fit_width)
            )
        return fit_height, fit_width

    if keep_ratio:
        return SegmentationResize(fitted, _INTERPOLATIONS[interp])
    return SegmentationResize(
        lambda _: (height, width), _INTERPOLATIONS[interp], fixed=(height, width)
    )


def _by_long(long_size: int) -> Op:
    return SegmentationResize(lambda size: scaled(size, long_size / max(size)))


def _by_short(short_size: int) -> Op:
    return SegmentationResize(lambda size: scaled(size, short_size / min(size)))


def _limit_long(max_long: int | None = None, min_long: int | None = None) -> Op:
    def limited(size: Size) -> Size:
        longest = max(size)
        wanted = max(min(longest, max_long or longest), min_long or longest)
        if max_long is not None and longest > max_long:
            wanted = max_long
        return size if wanted == longest else scaled(size, wanted / longest)

    return SegmentationResize(limited)


def scaled(size: Size, scale: float) -> Size:
    """Return a size (h, w) times `scale`, rounded to at least one pixel."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _normalize(
    mean: Sequence[float] = (0.5, 0.5, 0.5), std: Sequence[float] = (0.5, 0.5, 0.5)
) -> Op:
    if not all(std):
        raise ValueError("std must not hold 0")
    return Normalize(colour(mean), colour(std))


def _padding(
    target_size: Sequence[int],
    im_padding_value: Sequence[float] = _GREY,
    label_padding_value: int = 255,
) -> Op:
    del label_padding_value  # for training
    width, height = map(int, target_size)
    return Padding(lambda _: (height, width), colour(im_padding_value), fixed=(height, width))


def _by_aspect(
    aspect_ratio: float = 1,
    im_padding_value: Sequence[float] = _GREY,
    label_padding_value: int = 255,
) -> Op:
    del label_padding_value  # for training

    def widened(size: Size) -> Size:
        height, width = size
        if width / height > aspect_ratio:
            return int(width / aspect_ratio), width
        return height, int(height * aspect_ratio)

    return Padding(widened, colour(im_padding_value))


TRANSFORMS: dict[str, Callable[..., Op]] = {
    "Resize": _resize,
    "ResizeByLong": _by_long,
    "ResizeByShort": _by_short,
    "LimitLong": _limit_long,
    "Normalize": _normalize,
    "Padding": _padding,
    "PaddingByAspectRatio": _by_aspect,
}


def restored(labels: NDArray[Any], im_shape: NDArray[np.float32], size: Size) -> NDArray[Any]:
    """Return a map [H,W] of the model's input without its padding, at the source's size (h, w)."""
    height, width = map(int, im_shape)
    inner = np.ascontiguousarray(labels[:height, :width])
    return cv2.resize(inner, (size[1], size[0]), interpolation=cv2.INTER_NEAREST)


COLLECTING = "Collect"
"""The transform that ends every panoptic model's list, and no other's."""


def parse_panoptic(entries: Sequence[Any]) -> tuple[Op, ...]:
    """Return the operators that a list of mappings (`type` and arguments) describes, in order.

    Raises:
        UsageError: A transform or an argument is unknown or makes no sense.
    """
    return parse_transforms(
        [
            entry
            for entry in entries
            if not isinstance(entry, Mapping) or entry.get("type") != COLLECTING
        ]
    )
