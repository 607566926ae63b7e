"""`--dry-run`: what a job would do, without a job."""

import math
from typing import Any

from core.errors import BadInputError, FatalError, UsageError
from scheduler.dataset import estimate
from scheduler.plan import FIRST_SHARD_ITEMS
from scheduler.submit import JobDefaults, JobRequest, check
from store.database import Database


def dry_run(db: Database, request: JobRequest, defaults: JobDefaults) -> dict[str, Any]:
    """Check a request, read its listing, and return what would come of it.

    Raises:
        UsageError: the request cannot be carried out as it stands.
    """
    draft = check(db, request, defaults)
    try:
        found = estimate(draft.source, request.selection)
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
        "items": found.items,
        "bytes": found.size,
        "passed_over": dict(found.passed_over),
        "shards": math.ceil(found.items / (shard_items or FIRST_SHARD_ITEMS)),
        "shards_are": "pinned" if shard_items else "estimated",
        "examples": list(found.examples),
    }
