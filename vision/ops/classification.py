"""The preprocessing steps that an `inference.yml` can name, with PaddleClas's arithmetic.

Source: PaddleClas, `deploy/python/preprocess.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import BadInputError, UsageError
from vision.ops.detection import EVERY_BYTE, Op, Permute, Sample, colour
from vision.ops.resize import Size

_CV2 = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "area": cv2.INTER_AREA,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}
_PIL = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX,
    "lanczos": Image.Resampling.LANCZOS,
    "hamming": Image.Resampling.HAMMING,
}


@dataclass(frozen=True, slots=True)
class ResizeImage(Op):
    """Scales to `size` (w, h), or until the short side is `resize_short`."""

    size: tuple[int, int] | None
    resize_short: int | None
    interpolation: str
    backend: str

    keeps_channels_apart: ClassVar[bool] = True

    def apply(self, sample: Sample) -> Sample:
        """Return the scaled image, uint8."""
        height, width = sample.image.shape[:2]
        size_wh = self._target(width, height)
        if self.backend == "pil":
            picture = Image.fromarray(sample.image)
            image = np.asarray(picture.resize(size_wh, _PIL[self.interpolation]))
        else:
            image = cv2.resize(sample.image, size_wh, interpolation=_CV2[self.interpolation])
        return replace(sample, image=image, im_shape=image.shape[:2])

    def output_size(self, size: Size | None) -> Size | None:
        """Return the size (h, w), as far as it is known."""
        if self.size is not None:
            return self.size[1], self.size[0]
        return None if size is None else self._target(size[1], size[0])[::-1]

    def _target(self, width: int, height: int) -> tuple[int, int]:
        if self.size is not None:
            return self.size
        scale = (self.resize_short or 0) / min(width, height)
        return max(1, round(width * scale)), max(1, round(height * scale))


@dataclass(frozen=True, slots=True)
class CropImage(Op):
    """Crops the middle, `size` (w, h) in pixels."""

    size: tuple[int, int]

    keeps_channels_apart: ClassVar[bool] = True

    def apply(self, sample: Sample) -> Sample:
        """Return the middle of the image. Raises `BadInputError` if the image is smaller."""
        wide, high = self.size
        height, width = sample.image.shape[:2]
        if height < high or width < wide:
            raise BadInputError(
                "preprocess_failed", f"{width}x{height} is less than the crop of {wide}x{high}"
            )
        left, top = (width - wide) // 2, (height - high) // 2
        image = sample.image[top : top + high, left : left + wide]
        return replace(sample, image=image, im_shape=(high, wide))

    def output_size(self, size: Size | None) -> Size | None:  # noqa: ARG002
        """Return the crop's size (h, w)."""
        return self.size[1], self.size[0]


@dataclass(frozen=True, slots=True)
class ScaleAndNormalize(Op):
    """Multiplies by `scale`, subtracts `mean`, divides by `std` (R, G, B each), all in float32."""

    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def apply(self, sample: Sample) -> Sample:
        """Return the normalized image, float32."""
        table = self.byte_table().reshape(1, 256, 3)
        return replace(sample, image=cv2.LUT(np.ascontiguousarray(sample.image), table))

    def byte_table(self) -> NDArray[np.float32]:
        """Return every byte value, normalized: looking them up gives the same bits."""
        mean, std = (np.array(colour, np.float32) for colour in (self.mean, self.std))
        return (EVERY_BYTE * np.float32(self.scale) - mean) / std


def parse_transform_ops(entries: Sequence[Any]) -> tuple[Op, ...]:
    """Return the operators that a list of mappings (name to arguments) describes, in order.

    Raises:
        UsageError: A step or an argument is unknown or makes no sense.
    """
    ops = parse_steps(entries, _STEPS)
    if not ops or not isinstance(ops[-1], Permute):
        raise UsageError("preprocessing must end with ToCHWImage")
    return ops


def parse_steps(
    entries: Sequence[Any], steps: Mapping[str, Callable[..., Op | None]]
) -> tuple[Op, ...]:
    """Return the operators for a list of mappings (name to arguments), made by `steps`.

    Raises:
        UsageError: A step is not in `steps`, or its maker refuses an argument.
    """
    return tuple(op for entry in entries if (op := _parse(entry, steps)) is not None)


def _parse(entry: Any, steps: Mapping[str, Callable[..., Op | None]]) -> Op | None:
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise UsageError(f"a preprocessing step must be one name with arguments, not {entry!r}")
    [(name, arguments)] = entry.items()
    make = steps.get(str(name))
    if make is None:
        raise UsageError(
            f"the model's preprocessing step {name!r} is unknown",
            hint=f"this version knows {', '.join(steps)}",
        )
    try:
        return make(**(arguments or {}))
    except (TypeError, ValueError, KeyError) as error:
        raise UsageError(f"preprocessing step {name} cannot be read: {error}") from error


def _decode(to_rgb: bool = True, channel_first: bool = False, **_: Any) -> None:
    if not to_rgb or channel_first:
        raise ValueError("only RGB with the channels last is supported")


def _resize(
    size: Any = None,
    resize_short: int | None = None,
    interpolation: str | None = None,
    backend: str = "cv2",
    return_numpy: bool = True,
) -> Op:
    del return_numpy  # it is always an array
    pair = None if size is None or resize_short else _pair(size)
    if pair is None and not (resize_short and resize_short > 0):
        raise ValueError("neither size nor resize_short is given")
    way, engine = (interpolation or "bilinear").lower(), backend.lower()
    if way not in (_PIL if engine == "pil" else _CV2):
        raise ValueError(f"interpolation {way!r} of {backend} is unknown")
    return ResizeImage(pair, resize_short, way, engine)


def normalization(
    scale: float | str | None = None,
    mean: Sequence[float] = (0.485, 0.456, 0.406),
    std: Sequence[float] = (0.229, 0.224, 0.225),
    order: str = "chw",
    channel_num: int = 3,
    **_: Any,
) -> Op:
    """Return the operator for `NormalizeImage`'s arguments. Raises `ValueError` if unsupported."""
    if order == "chw" or channel_num != 3:  # noqa: PLR2004
        raise ValueError("only three channels are supported, and only as the last dimension")
    if not all(std):
        raise ValueError("std must not hold 0")
    return ScaleAndNormalize(_fraction(scale), colour(mean), colour(std))


def _fraction(scale: float | str | None) -> float:
    """Return the value of a number, or of a text like `1.0/255.0`, as PaddleClas writes it."""
    if scale is None:
        return 1.0 / 255.0
    above, _, below = str(scale).partition("/")
    return float(above) / float(below or 1)


def _pair(size: Any) -> tuple[int, int]:
    width, height = (size, size) if isinstance(size, int) else map(int, size)
    if min(width, height) < 1:
        raise ValueError(f"the size must be positive, not {size!r}")
    return width, height


_STEPS: dict[str, Callable[..., Op | None]] = {
    "DecodeImage": _decode,
    "ResizeImage": _resize,
    "CropImage": lambda size: CropImage(_pair(size)),
    "NormalizeImage": normalization,
    "ToCHWImage": Permute,
}
