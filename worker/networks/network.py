"""The interface of a network: how to feed its graph, and what its outputs mean."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.options import JobOptions
from predictions.answer import Answer
from vision.ops.preprocess import Prepared

Pixels = NDArray[np.uint8]


class Network(Protocol):
    """One graph's inputs and outputs: pure functions of its export, shared by all threads."""

    def prepare(self, image_bgr: Pixels) -> Prepared:
        """Return an upright image as the graph wants it."""
        ...

    def split(
        self, outputs: Sequence[NDArray[Any]], batch: Sequence[Prepared], size: int
    ) -> list[Any]:
        """Split the outputs of a batch of `size` by image, without the padding.

        Raises:
            FatalError: these are not the outputs of such a model.
        """
        ...


class ReadableNetwork(Network, Protocol):
    """A network whose outputs alone answer for a picture."""

    def read(self, output: Any, size_wh: tuple[int, int], options: JobOptions) -> Answer:
        """Return the answer in one image's output; `size_wh` is the image's width and height.

        Raises:
            BadInputError: `model_output_invalid`.
        """
        ...


def stacked(batch: Sequence[Prepared], size: int) -> dict[str, NDArray[np.float32]]:
    """Return all feeds of a batch, padded to `size` by repetition.

    Only the graph knows which it reads: PP-YOLOE `scale_factor` too, YOLOv3 also `im_shape`.
    """
    filled = [*batch, *[batch[0]] * (size - len(batch))]
    return {
        "image": np.stack([prepared.image for prepared in filled]),
        "im_shape": np.stack([prepared.im_shape for prepared in filled]),
        "scale_factor": np.stack([prepared.scale_factor for prepared in filled]),
    }
