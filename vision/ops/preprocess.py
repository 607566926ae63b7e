"""Prepares an upright picture as the arrays that a model wants."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.ops.detection import Op, Permute, Sample
from vision.ops.resize import Size


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One image as a graph takes it.

    `image` is contiguous float32 (3, H, W), RGB unless the model reads BGR. `im_shape` float32 (2,)
    is the height and width of the scaled image without padding; `scale_factor` float32 (2,) is what
    it was scaled by, y and x.
    """

    image: NDArray[np.float32]
    im_shape: NDArray[np.float32]
    scale_factor: NDArray[np.float32]


class Preprocessor:
    """A model's preprocessing, with the arithmetic of the official tools.

    It keeps no state between images and may be shared by threads. `steps` are the steps that it
    runs, which may combine several of the model's.
    """

    def __init__(self, ops: Sequence[Op]) -> None:
        # Conversion to RGB can wait until the image is small.
        first = next((n for n, op in enumerate(ops) if not op.keeps_channels_apart), len(ops))
        reads_bgr = any(op.reads_bgr for op in ops)
        self.steps = (*ops[:first], *_in_one_go(ops[first:], reads_bgr=reads_bgr))

    @property
    def fixed_shape(self) -> Size | None:
        """The (height, width) that every image gets, or `None` if it depends on the image."""
        size: Size | None = None
        for op in self.steps:
            size = op.output_size(size)
        return size

    def __call__(self, image_bgr: NDArray[np.uint8]) -> Prepared:
        """Prepare an upright uint8 (H, W, 3) image, leaving it unchanged.

        Raises:
            BadInputError: `preprocess_failed`: the model's preprocessing can't handle this size.
        """
        height, width = image_bgr.shape[:2]
        sample = Sample(image_bgr, im_shape=(height, width))
        for op in self.steps:
            sample = op.apply(sample)
        return Prepared(
            image=np.ascontiguousarray(sample.image, np.float32),
            im_shape=np.array(sample.im_shape, np.float32),
            scale_factor=np.array(sample.scale_factor, np.float32),
        )


def _in_one_go(ops: Sequence[Op], *, reads_bgr: bool) -> tuple[Op, ...]:
    """Return steps from BGR to the model's order and through `ops`, in one pass if possible."""
    reorder = () if reads_bgr else (_ToRgb(),)
    table = ops[0].byte_table() if len(ops) > 1 else None
    if table is not None and isinstance(ops[1], Permute):
        steps = (*reorder, *ops[:2])
        return _PlanesByTable(np.ascontiguousarray(table.T), reads_bgr, steps), *ops[2:]
    return *reorder, *ops


class _PlanesByTable(Op):
    """Turns BGR bytes into planes by looking each value up in a table, float32 (3, 256).

    Images that aren't bytes go through `steps`.
    """

    def __init__(self, table: NDArray[np.float32], reads_bgr: bool, steps: tuple[Op, ...]) -> None:
        self._table = table
        self._order = slice(None) if reads_bgr else slice(None, None, -1)
        self._steps = steps

    def apply(self, sample: Sample) -> Sample:
        if sample.image.dtype != np.uint8:
            for op in self._steps:
                sample = op.apply(sample)
            return sample
        planes = np.empty((3, *sample.image.shape[:2]), np.float32)
        for number, channel in enumerate(cv2.split(sample.image)[self._order]):
            cv2.LUT(channel, self._table[number], planes[number])
        return replace(sample, image=planes)


class _ToRgb(Op):
    """Turns cv2's channel order into RGB."""

    def apply(self, sample: Sample) -> Sample:
        return replace(sample, image=cv2.cvtColor(sample.image, cv2.COLOR_BGR2RGB))
