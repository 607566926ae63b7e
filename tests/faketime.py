"""Time that passes only when somebody sleeps."""

from collections.abc import Callable


class FakeTime:
    """Stands in for the module `time`; `then` happens in the fifth sleep."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self._then = then

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)
        if len(self.pauses) == 5:
            self._then()
