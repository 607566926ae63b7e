"""An item on its way through the stages, and what it asks of networks on that way."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.items import ItemRef
from store.parts import ResultRow
from vision.preprocess import Prepared
from worker.budget import ByteBudget
from worker.models import ResidentModel, ResidentNetwork
from worker.network import Answer
from worker.recipe import Ask, Steps
from worker.run import ShardRun


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an ask has no output: what the item's row will say, or that its run is over."""

    reason: str
    message: str


DROPPED = Failure("dropped", "")
"""The run stops; whatever becomes of it is no matter of this item."""


@dataclass(frozen=True, slots=True, eq=False)
class PendingAsk:
    """One input on its way to a predictor, whose output is number `place` of its ticket's step."""

    ticket: "Ticket"
    place: int
    network: ResidentNetwork
    prepared: Prepared


@dataclass(slots=True, eq=False)
class Ticket:
    """An item on its way through the stages; each fills in its field and drops what is spent.

    One thread at a time has it, but for its asks: these may be with several predictors at once,
    and whoever ends the last of them has the ticket next.
    """

    run: ShardRun
    item: ItemRef
    model: ResidentModel
    budget: ByteBudget
    data: bytes | None = None
    image: NDArray[np.uint8] | None = None
    size: tuple[int, int] | None = None  # width, height
    answer: Answer | None = None
    files: dict[str, bytes] = field(default_factory=dict)  # by their keys under the output
    row: ResultRow | None = None
    failure: Failure | None = None
    _steps: Steps | None = None
    _asks: Sequence[PendingAsk] = ()
    _outputs: list[Any] = field(default_factory=list)
    _open: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, image: NDArray[np.uint8]) -> None:
        """Keep the decoded image for later; waits while too many are kept."""
        self.budget.take(image.nbytes, lambda: self.run.stopping)
        self.image = image

    def drop_image(self) -> None:
        """Let go of the decoded image, if it was kept."""
        if self.image is not None:
            self.budget.give_back(self.image.nbytes)
            self.image = None

    def begin(self, image: NDArray[np.uint8]) -> None:
        """Take the recipe's first step: afterwards there is the `answer`, or there are asks.

        Raises:
            BadInputError: this image has no answer.
            FatalError: the model is not what it says it is.
        """
        self._steps = self.model.recipe.steps(image, self.run.unit.options)
        self._step(next)

    def resume(self) -> None:
        """Take the next step, with the outputs of all asks. See `begin`."""
        outputs, self._outputs = self._outputs, []
        self._step(lambda steps: steps.send(outputs))

    def take_asks(self) -> Sequence[PendingAsk]:
        """Return what the last step asks, and keep no hold of it; nothing if it answered."""
        asks, self._asks = self._asks, ()
        return asks

    def end(self, ask: PendingAsk, output: Any = None, *, failure: Failure | None = None) -> bool:
        """Note what became of an ask; whether it was the last one of the step."""
        with self._lock:
            self._outputs[ask.place] = output
            self.failure = self.failure or failure
            self._open -= 1
            return self._open == 0

    def leave(self, row: ResultRow | None) -> None:
        """End here, with a row unless it was dropped."""
        if self._steps is not None:
            self._steps.close()
            self._steps = None
        self.drop_image()
        self.run.leave(row)

    def _step(self, go: Callable[[Steps], Sequence[Ask]]) -> None:
        assert self._steps is not None
        try:
            asks = go(self._steps)
            while not asks:
                asks = self._steps.send(())
        except StopIteration as end:
            self.answer, self._steps = end.value, None
            return
        networks = self.model.networks
        self._asks = [
            PendingAsk(self, place, networks[ask.role], ask.prepared)
            for place, ask in enumerate(asks)
        ]
        self._outputs = [None] * len(asks)
        self._open = len(asks)
