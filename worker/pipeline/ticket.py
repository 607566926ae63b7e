"""An item on its way through the stages, and what it asks of networks on that way."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.items import ItemRef
from store.parts import ResultRow
from vision.ops.preprocess import Prepared
from worker.models import ResidentModel, ResidentNetwork
from worker.pipeline.budget import ByteBudget
from worker.pipeline.course import Course
from worker.recipes.recipe import Ask
from worker.run import ShardRun


@dataclass(frozen=True, slots=True, eq=False)
class PendingAsk:
    """One input on its way to a predictor, whose output is number `place` of its ticket's."""

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
    courses: Sequence[Course] = ()
    files: dict[str, bytes] = field(default_factory=dict)  # by their keys under the output
    rows: Sequence[ResultRow] = ()
    is_dropped: bool = False
    _asks: Sequence[PendingAsk] = ()
    _outputs: list[Any] = field(default_factory=list)
    _split: Sequence[tuple[Course, int]] = ()
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

    @property
    def revisits(self) -> bool:
        """Whether a model may look at the picture again after its first asks."""
        return self.model.revisits(self.run.unit.options)

    @property
    def is_answered(self) -> bool:
        """Whether every model has come to its end with this item."""
        return all(course.end is not None for course in self.courses)

    def begin(self, image: NDArray[np.uint8]) -> None:
        """Take each model's first step: afterwards all are answered, or there are asks.

        Raises:
            FatalError: a model is not what it says it is.
        """
        self.courses = [Course(member) for member in self.model.members]
        options = self.run.unit.options
        self._ask([(course, course.begin(image, options)) for course in self.courses])

    def resume(self) -> None:
        """Take the next step of each model that asked, with all that it got. See `begin`."""
        outputs, self._outputs = iter(self._outputs), []
        split, self._split = self._split, ()
        self._ask([(course, course.resume(list(islice(outputs, n)))) for course, n in split])

    def take_asks(self) -> Sequence[PendingAsk]:
        """Return what the last steps ask, and keep no hold of it; nothing if all have ended."""
        asks, self._asks = self._asks, ()
        return asks

    def give(self, ask: PendingAsk, output: Any) -> bool:
        """Note an ask's output, or its failure; whether it was the last one of the step."""
        with self._lock:
            self._outputs[ask.place] = output
            self._open -= 1
            return self._open == 0

    def drop(self) -> bool:
        """Count an ask as over whose run is; whether it was the last one of the step."""
        with self._lock:
            self.is_dropped = True
            self._open -= 1
            return self._open == 0

    def leave(self, rows: Sequence[ResultRow] | None) -> None:
        """End here, with a row for each model unless it was dropped."""
        for course in self.courses:
            course.close()
        self.drop_image()
        self.run.leave(self.item, rows)

    def _ask(self, asked: Sequence[tuple[Course, Sequence[Ask]]]) -> None:
        self._split = [(course, len(asks)) for course, asks in asked if asks]
        inputs = [
            (course.member.networks[ask.role], ask.prepared)
            for course, asks in asked
            for ask in asks
        ]
        self._asks = [PendingAsk(self, place, *of) for place, of in enumerate(inputs)]
        self._outputs = [None] * len(inputs)
        self._open = len(inputs)
