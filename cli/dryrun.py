"""`--dry-run`: what a job would do, without creating it."""

import math
from typing import Any

from core.errors import BadInputError, FatalError, UsageError
from scheduler.dataset import estimate
from scheduler.plan import FIRST_SHARD_ITEMS
from scheduler.submit import Draft


def dry_run(draft: Draft) -> dict[str, Any]:
    """Read the listing of a checked request, and return what would come of it.

    Raises:
        UsageError: the source cannot be read.
    """
    try:
        found = estimate(draft.source, draft.request.selection())
    except (BadInputError, FatalError) as error:
        raise UsageError(
            f"the source {draft.source!r} cannot be read: {error}", hint=error.hint
        ) from error
    shard_items = draft.options.planning.shard_items
    return {
        "name": draft.name,
        "source": draft.source,
        "task": draft.model.task,
        "model": draft.model.name,
        "batch_size": draft.options.planning.batch_size,
        "effective": draft.effective,
        "items": found.items,
        "bytes": found.size,
        "passed_over": dict(found.passed_over),
        "shards": math.ceil(found.items / (shard_items or FIRST_SHARD_ITEMS)),
        "shards_are": "pinned" if shard_items else "estimated",
        "examples": list(found.examples),
    }
