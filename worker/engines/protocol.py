"""What the worker needs of an inference engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from core.errors import RegattaError, RetryableError
from core.profile import NetworkProfile, Offered
from core.ways import Way


class OutOfMemoryError(RetryableError):
    """The batch does not fit into memory; a smaller one may."""


class PredictError(RegattaError):
    """The network refuses this batch: the engine is sound, something in the input is not.

    Which item it is, the engine can't say; running the items one by one does.
    """


class Predictor(Protocol):
    """A loaded network.

    NOT thread-safe: one thread at a time owns it, from `predict` to `close`. Two threads that
    share one get each other's results without any error. Several predictors, each with its own
    thread, run at the same time, as `predict` releases the GIL.
    """

    @property
    def input_names(self) -> tuple[str, ...]:
        """The inputs that the network reads, in its own order."""
        ...

    @property
    def memory_bytes(self) -> int:
        """How much memory it keeps, as far as its engine can tell.

        What predictors of one load share, one of them states.
        """
        ...

    def predict(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Run one batch.

        Args:
            feeds: An array for each of `input_names`, of the type that the network wants; more
                of them than it reads may be given, which are passed over. Where the network
                has a single input, `image` is meant for it, whatever its name.

        Returns:
            The outputs in the network's order (their names say nothing). They are copies: later
            calls don't change them.

        Raises:
            FatalError: the network reads an input that is not among `feeds`.
            OutOfMemoryError: the batch is too large.
            PredictError: the network can't take this batch. The predictor stays usable.
        """
        ...

    def close(self) -> None:
        """Free the network; closing again does nothing. It must not be used any more."""
        ...


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """An exported network: its graph, and its weights beside it."""

    graph: Path
    weights: Path


Sizes = Sequence[tuple[int, int]]
"""The (height, width) of every picture that a network is fed; none where they vary."""


class Engine(Protocol):
    """What runs networks: a module, or an object, as the setting `engines` names it.

    Several threads may ask it at once.
    """

    def offers(self) -> Sequence[Offered]:
        """Return what this process can run; nothing is loaded to find out. It stays the same."""
        ...

    def ways(self, model_file: Path) -> Sequence[Way]:
        """Name the ways beside the plain one in which a graph may run right, the fastest first."""
        ...

    def load(
        self, model: ModelFiles, profile: NetworkProfile, *, way: Way, sizes: Sizes, count: int
    ) -> Sequence[Predictor]:
        """Load a network once for each of `count` threads, to be run in this way.

        Args:
            model: The network's files.
            profile: Its offer is one of `offers`; batches have its size, or less.
            way: `Way.PLAIN`, or one of `ways`.
            sizes: What it will be fed.
            count: How many predictors to return.

        Raises:
            FatalError: it can't be loaded.
            OutOfMemoryError: there is no memory for it now.
        """
        ...
