"""The interface of a recipe: which networks look at which parts of a picture, and why."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from core.options import JobOptions
from predictions.answer import Answer
from vision.ops.preprocess import Prepared
from worker.networks.network import Pixels, ReadableNetwork

WHOLE = "model"
"""The role of a network that is a model by itself."""

MOST_ASKS = 16
"""How many asks a recipe prepares at a time if a picture may need any number of them.

Enough for a batch or two; the asks of all pictures in flight are in memory together.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """One input for the network with this role in the model."""

    role: str
    prepared: Prepared


Steps = Generator[Sequence[Ask], Sequence[Any], Answer]
"""Yields lists of asks, receives each list's outputs in the same order, returns the answer."""


class Recipe(Protocol):
    """A way from a picture to its answer; shared by all threads."""

    def revisits(self, options: JobOptions) -> bool:
        """Return whether it looks at the picture again after its first asks."""
        ...

    def steps(self, image_bgr: Pixels, options: JobOptions) -> Steps:
        """Work out the answer for one upright picture.

        Each step may run in a different thread. Asks of many pictures for the same network and
        shape share batches, so a step with few asks wastes nothing.

        Raises:
            BadInputError: this picture has no answer.
            FatalError: the model is not what it claims to be.
        """
        ...


class OneLook:
    """A recipe for one network that sees each picture once. See `Recipe`."""

    def __init__(self, network: ReadableNetwork, *, cuts_out: bool = False) -> None:
        self._network = network
        self._cuts_out = cuts_out

    def revisits(self, options: JobOptions) -> bool:
        """Return True only if it cuts something out of the picture."""
        del options
        return self._cuts_out

    def steps(self, image_bgr: Pixels, options: JobOptions) -> Steps:
        """Ask the network, and read what it says."""
        size_wh = (image_bgr.shape[1], image_bgr.shape[0])
        asks = [Ask(WHOLE, self._network.prepare(image_bgr))]
        del image_bgr  # while it waits for a predictor, only the drawing may keep the picture alive
        (output,) = yield asks
        return self._network.read(output, size_wh, options)
