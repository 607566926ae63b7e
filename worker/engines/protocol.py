"""What the pipeline needs of an inference engine."""

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from core.errors import RegattaError, RetryableError


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
