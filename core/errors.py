"""What can go wrong, classified where it is known; vendor errors stop at their adapter."""


class RegattaError(Exception):
    """Something went wrong that a person can act on.

    `hint` says what to do about it; the command line prints both and never a traceback.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(RegattaError):
    """The request cannot be carried out as it stands; no work was started."""


class BadInputError(RegattaError):
    """This one item cannot be processed; its neighbours can.

    `reason` is a short stable code (`decode_failed`, `too_large`, `source_missing` ...) with which
    the reasons in result rows begin; the message gives the details.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type["BadInputError"], tuple[str, str]]:
        """Pickle with both arguments: exceptions cross process borders."""
        return type(self), (self.reason, str(self))


class RetryableError(RegattaError):
    """The outside world failed (network, disk, a busy server); the same work may succeed later."""


class BlockedError(RetryableError):
    """Nothing will succeed until somebody acts: credentials have expired, a permission is missing.

    It would happen to any shard, so no try is counted.
    """


class FatalError(RegattaError):
    """The whole job cannot go on: every other item would fail the same way."""


class StaleError(RegattaError):
    """Somebody else has taken over this work; what was done here is dropped."""


class NewerError(RegattaError):
    """A newer Regatta wrote this; it is left to a process that understands it."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"needs a newer Regatta: {what}",
            hint="upgrade the schedulers, the workers and this command",
        )


def text_of(error: RegattaError) -> str:
    """Return an error as one line: what is wrong, and in parentheses what to do about it."""
    return f"{error} ({error.hint})" if error.hint else str(error)
