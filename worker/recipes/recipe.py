"""What becomes of one picture: which networks run on what of it, and what their outputs mean."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from core.options import JobOptions
from predictions.answer import Answer
from vision.ops.preprocess import Prepared
from worker.networks.network import Pixels, ReadableNetwork

ALONE = "model"
"""The role of a network that is a whole model."""

MOST_ASKS = 16
"""How many asks a recipe prepares at a time where a picture may bring any number.

Enough for a batch or two; those of all pictures in flight lie in memory together.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """One input for the network that has this role in the model."""

    role: str
    prepared: Prepared


Steps = Generator[Sequence[Ask], Sequence[Any], Answer]
"""Gives lists of asks, gets each list's outputs in its order, and ends with the answer."""


class Recipe(Protocol):
    """The way from a picture to its answer; shared by all threads."""

    def revisits(self, options: JobOptions) -> bool:
        """Return whether it looks at the picture again after its first asks."""
        ...

    def steps(self, image_bgr: Pixels, options: JobOptions) -> Steps:
        """Go the way for one upright picture.

        Each step runs in a thread of its own choosing; the asks of many pictures that have one
        network and one shape share batches, so that a step with few asks wastes nothing.

        Raises:
            BadInputError: this picture has no answer.
            FatalError: the model is not what it says it is.
        """
        ...


class OneLook:
    """A model of one network that sees each picture once. See `Recipe`."""

    def __init__(self, network: ReadableNetwork, *, cuts_out: bool = False) -> None:
        self._network = network
        self._cuts_out = cuts_out

    def revisits(self, options: JobOptions) -> bool:
        """Only to cut something out of it."""
        del options
        return self._cuts_out

    def steps(self, image_bgr: Pixels, options: JobOptions) -> Steps:
        """Ask the network, and read what it says."""
        size_wh = (image_bgr.shape[1], image_bgr.shape[0])
        asks = [Ask(ALONE, self._network.prepare(image_bgr))]
        del image_bgr  # while it waits for a predictor, only who draws on it need keep it
        (output,) = yield asks
        return self._network.read(output, size_wh, options)
