"""The preprocessing operators that a detector's export can name, as values.

Names, arguments and arithmetic are those of PaddleDetection's `deploy/python/preprocess.py`. Each
operator turns one `Sample` into the next; none keeps state between images.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from vision.ops.resize import Size, letterbox, resize_by, scale_to_fit


@dataclass(frozen=True, slots=True)
class Sample:
    """An image on its way into a model.

    `image` is uint8 or float32: RGB (H, W, 3), and (3, H, W) after `Permute`. `im_shape` (h, w) is
    its size without padding, `scale_factor` (y, x) the scale applied so far.
    """

    image: NDArray[Any]
    im_shape: tuple[float, float]
    scale_factor: tuple[float, float] = (1.0, 1.0)


class Op(ABC):
    """One step of preprocessing.

    A step that `keeps_channels_apart` treats each channel alike, whatever their order. A model with
    a step that `reads_bgr` was trained on cv2's channel order and gets it.
    """

    __slots__ = ()

    keeps_channels_apart: ClassVar[bool] = False
    reads_bgr: ClassVar[bool] = False

    @abstractmethod
    def apply(self, sample: Sample) -> Sample:
        """Return the sample after this step, leaving the given one unchanged."""

    def output_size(self, size: Size | None) -> Size | None:
        """Return the size (h, w) after this step, or `None` if it depends on the image."""
        return size

    def byte_table(self) -> NDArray[np.float32] | None:
        """Return what each byte of R, G and B becomes, float32 (256, 3), if that is all it does."""
        return None


EVERY_BYTE = np.repeat(np.arange(256, dtype=np.float32), 3).reshape(256, 3)
"""An image with every byte value once in each channel."""


@dataclass(frozen=True, slots=True)
class Resize(Op):
    """Scales to `target_size` (h, w), or to fit in it; `interp` is cv2's constant."""

    target_size: Size
    keep_ratio: bool = True
    interp: int = cv2.INTER_LINEAR

    keeps_channels_apart: ClassVar[bool] = True

    def apply(self, sample: Sample) -> Sample:
        """Return the scaled image."""
        height, width = sample.image.shape[:2]
        if self.keep_ratio:
            scale = scale_to_fit((height, width), self.target_size)
            scale_yx = (scale, scale)
        else:
            scale_yx = (self.target_size[0] / height, self.target_size[1] / width)
        image = resize_by(sample.image, scale_yx, self.interp)
        return Sample(image, im_shape=image.shape[:2], scale_factor=scale_yx)

    def output_size(self, size: Size | None) -> Size | None:  # noqa: ARG002
        """Return `target_size`, or `None` if the aspect ratio is kept."""
        return None if self.keep_ratio else self.target_size


@dataclass(frozen=True, slots=True)
class LetterBoxResize(Op):
    """Scales to fit in `target_size` (h, w), centred on grey."""

    target_size: Size

    keeps_channels_apart: ClassVar[bool] = True

    def apply(self, sample: Sample) -> Sample:
        """Return the scaled image on its grey canvas."""
        image, inner, scale = letterbox(sample.image, self.target_size)
        return Sample(image, im_shape=inner, scale_factor=(scale, scale))

    def output_size(self, size: Size | None) -> Size | None:  # noqa: ARG002
        """Return `target_size`."""
        return self.target_size


@dataclass(frozen=True, slots=True)
class Pad(Op):
    """Puts the image in the top left corner of a canvas of `size` (h, w); colours are RGB."""

    size: Size
    fill_value: tuple[float, float, float] = (114.0, 114.0, 114.0)

    def apply(self, sample: Sample) -> Sample:
        """Return the image on its canvas, float32. Raises `BadInputError` if it doesn't fit."""
        height, width = sample.image.shape[:2]
        if height > self.size[0] or width > self.size[1]:
            raise BadInputError(
                "preprocess_failed",
                f"{width}x{height} does not fit on a canvas of {self.size[1]}x{self.size[0]}",
            )
        canvas = np.empty((*self.size, 3), np.float32)
        canvas[:] = np.asarray(self.fill_value, np.float32)
        canvas[:height, :width] = sample.image
        return replace(sample, image=canvas)

    def output_size(self, size: Size | None) -> Size | None:  # noqa: ARG002
        """Return `size`."""
        return self.size


@dataclass(frozen=True, slots=True)
class NormalizeImage(Op):
    """Divides by 255 if `is_scale`, then subtracts `mean` and divides by `std` (R, G, B each).

    Mean and std apply only if `norm_type` is `mean_std`; PP-YOLOE+ and others have `none`.
    """

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    is_scale: bool = True
    norm_type: str = "mean_std"

    def apply(self, sample: Sample) -> Sample:
        """Return the normalized image, float32."""
        if sample.image.dtype != np.uint8:
            return replace(sample, image=self._normalized(sample.image.astype(np.float32)))
        return replace(sample, image=cv2.LUT(sample.image, self.byte_table().reshape(1, 256, 3)))

    def byte_table(self) -> NDArray[np.float32]:
        """Return every byte value, normalized: looking them up gives the same bits."""
        return self._normalized(EVERY_BYTE.copy())

    def _normalized(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Normalize (H, W, 3) in place. Mean and std are float64, which affects the rounding."""
        if self.is_scale:
            image *= 1.0 / 255.0
        if self.norm_type == "mean_std":
            image -= np.asarray(self.mean, np.float64)
            image /= np.asarray(self.std, np.float64)
        return image


@dataclass(frozen=True, slots=True)
class Permute(Op):
    """Transposes (H, W, 3) to float32 (3, H, W)."""

    def apply(self, sample: Sample) -> Sample:
        """Return the image, plane by plane."""
        height, width = sample.image.shape[:2]
        planes = np.empty((3, height, width), np.float32)
        planes[:] = sample.image.transpose(2, 0, 1)
        return replace(sample, image=planes)


@dataclass(frozen=True, slots=True)
class PadStride(Op):
    """Pads (3, H, W) with zeros at the bottom and right to multiples of `stride`."""

    stride: int = 0

    def apply(self, sample: Sample) -> Sample:
        """Return the image with its margin."""
        height, width = sample.image.shape[1:]
        padded = self.output_size((height, width))
        if padded is None or padded == (height, width):
            return sample
        canvas = np.zeros((3, *padded), np.float32)
        canvas[:, :height, :width] = sample.image
        return replace(sample, image=canvas)

    def output_size(self, size: Size | None) -> Size | None:
        """Return the next multiples of `stride`."""
        if size is None or self.stride <= 0:
            return size
        return -(-size[0] // self.stride) * self.stride, -(-size[1] // self.stride) * self.stride


def colour(values: Sequence[float]) -> tuple[float, float, float]:
    """Return three numbers, for R, G and B. Raises `ValueError` for any others."""
    red, green, blue = map(float, values)
    return red, green, blue
