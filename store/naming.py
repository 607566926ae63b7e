"""Says which location a store's error is about."""

from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import BadInputError, BlockedError, FatalError, RetryableError, UsageError


@contextmanager
def naming(what: str, *, hint: str | None = None) -> Iterator[None]:
    """Put `what` ("the source '/photos/' cannot be read") before a store's error.

    A request that is wrong ends with another exit code than a store that is away or full. `hint` is
    for the former, if the store has none.

    Raises:
        UsageError: nothing is there, or its store refuses for good.
        BlockedError, RetryableError: the store is away, full, or may not be written.
    """
    try:
        yield
    except BlockedError as error:
        raise BlockedError(f"{what}: {error}", hint=error.hint) from error
    except RetryableError as error:
        raise RetryableError(f"{what}: {error}", hint=error.hint) from error
    except (BadInputError, FatalError) as error:
        raise UsageError(f"{what}: {error}", hint=error.hint or hint) from error
