"""What the pipeline needs of a model: how to feed its graph, and what its outputs mean."""

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
        """Return what the graph wants of an upright image."""
        ...

    def split(
        self, outputs: Sequence[NDArray[Any]], batch: Sequence[Prepared], size: int
    ) -> list[Any]:
        """Cut the outputs of a batch of `size` into those of its images, without the padding.

        Raises:
            FatalError: these are no outputs of such a model.
        """
        ...


class ReadableNetwork(Network, Protocol):
    """A network whose outputs are a picture's whole answer."""

    def read(self, output: Any, size_wh: tuple[int, int], options: JobOptions) -> Answer:
        """Return what one image's output says, the image being so wide and high.

        Raises:
            BadInputError: `model_output_invalid`.
        """
        ...


def stacked(batch: Sequence[Prepared], size: int) -> dict[str, NDArray[np.float32]]:
    """A batch as graphs take it, each what of this it asks for; padded to `size` by repetition."""
    filled = [*batch, *[batch[0]] * (size - len(batch))]
    return {
        "image": np.stack([prepared.image for prepared in filled]),
        "im_shape": np.stack([prepared.im_shape for prepared in filled]),
        "scale_factor": np.stack([prepared.scale_factor for prepared in filled]),
    }
