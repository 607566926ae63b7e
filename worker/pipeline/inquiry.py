"""What a run's models ask about one picture: sends the asks, gathers the outputs."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from core.errors import BadInputError
from predictions.answer import Answer
from predictions.only_classes import only_classes
from vision.ops.preprocess import Prepared
from worker.models import Member, ResidentNetwork
from worker.networks.network import Pixels
from worker.pipeline.flow import Picture, Ticket
from worker.recipes.recipe import Ask, Steps


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no output or no answer, as the row will say it."""

    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


@dataclass(frozen=True, slots=True, eq=False)
class PendingAsk:
    """An ask on its way to a predictor; `place` is its output's position in the inquiry's step."""

    inquiry: "Inquiry"
    place: int
    network: ResidentNetwork
    prepared: Prepared


class Inquiry:
    """Takes the recipes of all of a run's models, step by step, for one picture.

    Each step makes one list of asks from all recipes that have not ended. They may be with several
    predictors at once, and the thread that ends the last of them owns the inquiry next; otherwise
    one thread at a time owns it. `picture` is kept if it is to be drawn on or looked at again.
    """

    def __init__(self, ticket: Ticket, picture: Picture | None) -> None:
        self.ticket = ticket
        self.picture = picture
        self.is_dropped = False
        self._members: Sequence[Member] = ticket.flow.model.members
        self._classes = ticket.run.unit.options.rows.classes
        self._answers: list[Answer | Failure | None] = [None] * len(self._members)
        self._steps: dict[int, Steps] = {}  # of the members that have not ended
        self._asks: Sequence[PendingAsk] = ()
        self._split: Sequence[tuple[int, int]] = ()  # members and their numbers of asks
        self._outputs: list[Any] = []
        self._open = 0
        self._lock = threading.Lock()

    @property
    def answers(self) -> list[tuple[Member, Answer | Failure]]:
        """Each model's answer or failure, once all have ended."""
        assert self.is_answered
        pairs = zip(self._members, self._answers, strict=True)
        return [(member, answer) for member, answer in pairs if answer is not None]

    @property
    def is_answered(self) -> bool:
        """Whether every model is done with this picture."""
        return not self._steps

    def begin(self, image: Pixels) -> None:
        """Take each model's first step; afterwards all are answered, or there are asks.

        Raises:
            FatalError: a model is not what it claims to be.
        """
        options = self.ticket.run.unit.options
        for place, member in enumerate(self._members):
            self._steps[place] = member.recipe.steps(image, options)
        self._scatter([(place, self._step(place, None)) for place in range(len(self._members))])

    def resume(self) -> None:
        """Take the next step of each model that asked, giving it its outputs. See `begin`."""
        outputs, self._outputs = iter(self._outputs), []
        split, self._split = self._split, ()
        self._scatter([(place, self._step(place, list(islice(outputs, n)))) for place, n in split])

    def take_asks(self) -> Sequence[PendingAsk]:
        """Return the last steps' asks, without keeping a reference; empty if all have ended."""
        asks, self._asks = self._asks, ()
        return asks

    def give(self, ask: PendingAsk, output: Any) -> bool:
        """Note an ask's output or `Failure`; return whether it was the last one of the step."""
        with self._lock:
            self._outputs[ask.place] = output
            self._open -= 1
            return self._open == 0

    def drop(self) -> bool:
        """Count an ask of a stopped run as ended; return whether it was the step's last one."""
        with self._lock:
            self.is_dropped = True
            self._open -= 1
            return self._open == 0

    def _step(self, place: int, outputs: Sequence[Any] | None) -> Sequence[Ask]:
        """Take a member's next step and return its asks; empty if it has ended."""
        steps = self._steps[place]
        failed = [output for output in outputs or () if isinstance(output, Failure)]
        if failed:
            self._answers[place] = failed[0]
        else:
            try:
                asks = next(steps) if outputs is None else steps.send(outputs)
                while not asks:
                    asks = steps.send(())
            except StopIteration as end:
                task = self._members[place].task
                self._answers[place] = only_classes(task, end.value, self._classes)
            except BadInputError as error:
                self._answers[place] = Failure(error.reason, str(error))
            else:
                return asks
        self._steps.pop(place).close()
        return ()

    def _scatter(self, asked: Sequence[tuple[int, Sequence[Ask]]]) -> None:
        self._split = [(place, len(asks)) for place, asks in asked if asks]
        inputs = [
            (self._members[place].networks[ask.role], ask.prepared)
            for place, asks in asked
            for ask in asks
        ]
        self._asks = [PendingAsk(self, number, *of) for number, of in enumerate(inputs)]
        self._outputs = [None] * len(inputs)
        self._open = len(inputs)
