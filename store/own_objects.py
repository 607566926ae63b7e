"""What a job wrote for itself, and must find again: item lists, parts of a run before."""

from core.errors import BadInputError, BlockedError, FatalError
from store.locations import open_store


def own_object(job_id: str, output: str, key: str) -> bytes:
    """Return what the job has written under a key of its output.

    Raises:
        FatalError: it is gone.
        BlockedError: it may not be read.
        RetryableError: as the store raises it.
    """
    try:
        return open_store(output).get(key)
    except BadInputError as error:
        raise unread(job_id, output, key, error) from error


def unread(job_id: str, output: str, key: str, error: BadInputError) -> FatalError | BlockedError:
    """Return what it means to a job that it can't read one of its own objects.

    If it is gone, the job fails; if it may not be read, the job waits until it may.
    """
    if error.reason == "access_denied":
        return BlockedError(
            f"{key} in {output} cannot be read: {error}", hint="let the workers read it"
        )
    why = "" if error.reason == "source_missing" else f": {error}"
    return FatalError(
        f"{key}, which this job needs, is gone from its output {output}{why}",
        hint=f"put it back and run `regatta retry {job_id}`, "
        f"or begin anew with `regatta run --like {job_id}`",
    )
