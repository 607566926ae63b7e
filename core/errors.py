"""What can go wrong, classified where it is known; vendor errors stop at their adapter."""


class RegattaError(Exception):
    """Something went wrong that a person can act on.

    `hint` says what to do about it; the command line prints both and never a traceback.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(RegattaError):
    """What was asked for cannot be done as it was asked; no work was started."""


class BadInputError(RegattaError):
    """This one item cannot be processed; its neighbours can.

    `reason` is a short stable code (`decode_failed`, `too_large`, `source_missing` ...) that
    result rows start with; the message says the details.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type["BadInputError"], tuple[str, str]]:
        """Pickle with both arguments: exceptions cross process borders."""
        return type(self), (self.reason, str(self))


class RetryableError(RegattaError):
    """The world was in the way (network, disk full, server busy); the same work may pass later."""


class BlockedError(RetryableError):
    """Nothing will pass until somebody acts: credentials have expired, a permission is missing.

    Whatever met it is no more to blame than all the rest would be, so that no try is counted.
    """


class FatalError(RegattaError):
    """The whole job cannot go on: every other item would fail in the same way."""


class StaleError(RegattaError):
    """Somebody else has this work by now; what was done here is dropped."""


class NewerError(RegattaError):
    """A newer Regatta wrote this: it is left for a process that knows what it means."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"needs a newer Regatta: {what}",
            hint="upgrade the schedulers, the workers and this command",
        )
