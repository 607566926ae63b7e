"""The contract between the worker and an inference engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from core.errors import FatalError, RegattaError, RetryableError
from core.profile import NetworkProfile, Offered
from core.ways import Way


class OutOfMemoryError(RetryableError):
    """The batch does not fit into memory; a smaller one may."""


class PredictError(RegattaError):
    """The network refuses this batch: the engine is fine, but something in the input is not.

    The engine can't tell which item is to blame; running the items one by one does.
    """


class LoadError(FatalError):
    """The engine can't load a network: its files are unfit, or the engine's device is.

    `engine` is the key of its offer. If the network has run on this engine before, the device is at
    fault, and else the job can't go on.
    """

    def __init__(self, engine: str, why: str, *, hint: str | None = None) -> None:
        super().__init__(why, hint=hint)
        self.engine = engine

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with all arguments: exceptions cross process borders."""
        return partial(type(self), hint=self.hint), (self.engine, str(self))


class SickEngineError(RegattaError):
    """The engine fails on inputs that are good: it or its device is at fault, and no item.

    `engine` is the key of its offer, `network` the digest of the network that failed. `has_run`
    says that the network had run in this process before; if not, the network itself may be unfit.
    """

    def __init__(self, engine: str, network: str, why: str, *, has_run: bool) -> None:
        super().__init__(why)
        self.engine = engine
        self.network = network
        self.has_run = has_run

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with all arguments: exceptions cross process borders."""
        make = partial(type(self), has_run=self.has_run)
        return make, (self.engine, self.network, str(self))


class Predictor(Protocol):
    """A loaded network.

    NOT thread-safe: one thread at a time owns it, from `predict` to `close`. Two threads that share
    one get each other's results without any error. Several predictors, each in its own thread, run
    in parallel, as `predict` releases the GIL.
    """

    @property
    def input_names(self) -> tuple[str, ...]:
        """The inputs that the network reads, in its own order."""
        ...

    @property
    def memory_bytes(self) -> int:
        """The memory that it holds, as far as its engine can tell.

        Memory shared by the predictors of one load is counted in one of them.
        """
        ...

    def predict(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Run one batch.

        Args:
            feeds: An array for each of `input_names`, of the type that the network wants; arrays
                that it doesn't read are ignored. A network's only input gets `image`, whatever its
                own name is.

        Returns:
            The outputs in the network's order (their names mean nothing). They are copies: later
            calls don't change them.

        Raises:
            FatalError: the network reads an input that is not among `feeds`.
            OutOfMemoryError: the batch is too large.
            PredictError: the network can't take this batch. The predictor stays usable.
        """
        ...

    def close(self) -> None:
        """Free the network, which must not be used any more. Closing again does nothing."""
        ...


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """An exported network: its graph and its weights."""

    graph: Path
    weights: Path


Sizes = Sequence[tuple[int, int]]
"""The (height, width) of every picture that a network is fed; empty if they vary."""


class Engine(Protocol):
    """Something that runs networks: a module, as the setting `engines` names it, or an object.

    Several threads may call it at once.
    """

    def offers(self) -> Sequence[Offered]:
        """Return what this process can run, without loading anything. It never changes."""
        ...

    def ways(self, model_file: Path) -> Sequence[Way]:
        """Return the ways beside the plain one that may be right for a graph, fastest first."""
        ...

    def load(
        self, model: ModelFiles, profile: NetworkProfile, *, way: Way, sizes: Sizes, count: int
    ) -> Sequence[Predictor]:
        """Load a network once for each of `count` threads, to run in this way.

        Args:
            model: The network's files.
            profile: Its offer is one of `offers`; batches are of its size or smaller.
            way: `Way.PLAIN`, or one of `ways`.
            sizes: The sizes of the pictures to come.
            count: How many predictors to return.

        Raises:
            FatalError: its files are unfit.
            LoadError: it can't be loaded, for this or another reason. Any other error counts alike.
            OutOfMemoryError: there isn't enough memory right now.
        """
        ...
