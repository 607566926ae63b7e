"""The way of one picture through one model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import BadInputError
from core.options import JobOptions
from predictions.answer import Answer
from worker.models import Member
from worker.networks.network import Pixels
from worker.recipes.recipe import Ask, Steps


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no output, or no answer; what the row will say."""

    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class Course:
    """A recipe's steps for one picture. `end` is there once it has none left to take."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.end: Answer | Failure | None = None
        self._steps: Steps | None = None

    def begin(self, image: Pixels, options: JobOptions) -> Sequence[Ask]:
        """Take the first step and return what it asks; nothing if this is the end.

        Raises:
            FatalError: the model is not what it says it is.
        """
        self._steps = self.member.recipe.steps(image, options)
        return self._step(next)

    def resume(self, outputs: Sequence[Any]) -> Sequence[Ask]:
        """Take the next step, with what the asks of the last one got. See `begin`."""
        failed = [output for output in outputs if isinstance(output, Failure)]
        if failed:
            self.close()
            self.end = failed[0]
            return ()
        return self._step(lambda steps: steps.send(outputs))

    def close(self) -> None:
        """Take no further step."""
        if self._steps is not None:
            self._steps.close()
            self._steps = None

    def _step(self, go: Callable[[Steps], Sequence[Ask]]) -> Sequence[Ask]:
        assert self._steps is not None
        try:
            asks = go(self._steps)
            while not asks:
                asks = self._steps.send(())
        except StopIteration as end:
            self.end = end.value
        except BadInputError as error:
            self.end = Failure(error.reason, str(error))
        else:
            return asks
        self._steps = None
        return ()
