"""`--dry-run`: what a job would do, without creating it."""

import math
from collections.abc import Mapping
from typing import Any

from cli.show.output import print_object
from core.passed_over import in_words
from scheduler.dataset import estimate, why_empty
from scheduler.plan import FIRST_SHARD_ITEMS
from scheduler.submit import Draft


def dry_run(draft: Draft, form: str) -> None:
    """Print what would come of a checked request.

    Raises:
        UsageError: the source cannot be read.
        RegattaError: its store is away; or there is nothing to do, so that the job would fail.
    """
    told = _told(draft)
    words = {"passed_over": list(in_words(told["passed_over"]))} if form == "table" else {}
    print_plan({**told, **words}, form)
    if not told["items"]:
        why = why_empty(draft.dataset.source, draft.selection, told["passed_over"])
        if why is not None:
            raise why


def print_plan(plan: Mapping[str, Any], form: str) -> None:
    """Print what a job would be; a table has the values that are set for each model, in words."""
    words = {"effective": _in_words(plan["effective"])} if form == "table" else {}
    print_object({**plan, **words}, form)


def _in_words(effective: Mapping[str, Mapping[str, Any]]) -> str:
    said = {True: "yes", False: "no"}
    return "; ".join(
        f"{model}: "
        + ", ".join(
            f"{name} {said[value] if isinstance(value, bool) else value}"
            for name, value in values.items()
            if value is not None
        )
        for model, values in effective.items()
    )


def _told(draft: Draft) -> dict[str, Any]:
    source, selection = draft.dataset.source, draft.selection
    found = estimate(source, selection)
    texts = draft.dataset.texts
    shard_items = draft.options.planning.shard_items
    return {
        "name": draft.name,
        "source": texts[0] if len(texts) == 1 else list(texts),
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
