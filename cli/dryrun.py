"""`--dry-run`: what a job would do, without creating it."""

from collections.abc import Mapping
from typing import Any

from cli.show.output import print_object
from cli.show.size import readable_size
from config.settings import Settings
from core.options import ModelRef
from core.passed_over import in_words
from core.wording import count, duration, percent
from scheduler.dataset import estimate, why_empty
from scheduler.expectation import Capacity, capacity, shards_of
from scheduler.forecast import forecast
from scheduler.plan import FIRST_SHARD_ITEMS
from scheduler.submit import Draft
from scheduler.usage import usage_of
from store.database import Database
from store.estimates import record_of
from store.rates import rates_of

_HOUR = 3600.0
_LEAST_COST = 0.01


def dry_run(
    db: Database, settings: Settings, draft: Draft, form: str, *, price: float | None = None
) -> None:
    """Print what would come of a checked request; `price` is what a worker costs an hour.

    Raises:
        UsageError: the source cannot be read.
        RegattaError: its store is away; or there is nothing to do, so that the job would fail.
    """
    told = {**_told(draft), "loads": _loads(draft.model)}
    todo = told["items"]
    if draft.since is not None:
        # With --redo-on, only a worker can tell.
        found = None if draft.request.terms.redo_on else forecast(db, draft)
        todo = told["items"] if found is None else found.done
        told |= {
            "since": draft.since,
            "compared": None if found is None else found.words,
            "shards": shards_of(todo, draft.options.planning.shard_items or FIRST_SHARD_ITEMS),
        }
    expected = _expected(db, settings, draft, todo, told["shards"], price)
    if form == "table":
        words = {
            "bytes": readable_size(told["bytes"]),
            "passed_over": list(in_words(told["passed_over"])),
            "loads": {name: readable_size(size) for name, size in told["loads"].items()},
        }
        print_plan({**told, **words, **_expected_in_words(expected)}, form)
    else:
        print_plan({**told, "expected": expected}, form)
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
        "sizes": dict(found.sizes),
        "passed_over": dict(found.passed_over),
        "shards": shards_of(found.items, shard_items or FIRST_SHARD_ITEMS),
        "shards_are": "pinned" if shard_items else "estimated",
        "examples": list(found.examples),
    }


def _loads(model: ModelRef) -> dict[str, int]:
    """Return the bytes of the files of each network that a worker has to load, by name."""
    return {one.name: usage_of(one.location).size for one in model.exports}


def _expected(
    db: Database,
    settings: Settings,
    draft: Draft,
    items: int,
    shards: int,
    price: float | None,
) -> dict[str, Any]:
    """Return how long the job would take and what it would cost, and how good such numbers were.

    If no worker is up, as if there were one of this machine's.
    """
    digest = draft.model.digest
    up, measured, record = db.read(
        lambda s: (
            capacity(s, digest, draft.model.queue, now=db.now(s), within=settings.lease_seconds),
            rates_of(s, digest),
            record_of(s, digest),
        )
    )
    is_up = up.workers > 0
    if not is_up and measured:
        up = Capacity((max(measured.values()),) * settings.concurrency, 1, 0)
    seconds = up.seconds(items, shards)
    workers = up.workers - up.unmeasured
    return {
        "seconds": None if seconds is None else round(seconds, 1),
        "workers": workers,
        "workers_unmeasured": up.unmeasured,
        "is_up": is_up,
        "cost": None
        if seconds is None or price is None
        else round(price * workers * seconds / _HOUR, 4),
        "last_estimates": None
        if record is None
        else {
            "number": record.estimates,
            "typical_error": round(record.typical, 3),
            "worst_error": round(record.worst, 3),
        },
    }


def _expected_in_words(expected: Mapping[str, Any]) -> dict[str, str]:
    unmeasured = expected["workers_unmeasured"]
    if expected["seconds"] is None:
        up = f"{count(unmeasured, 'worker')} up, but"
        why = up if expected["is_up"] else "no worker is up, and"
        said = f"unknown: {why} this model has never been measured; running it measures it"
        return {"takes": said}
    on = count(expected["workers"], "worker")
    said = f"{duration(expected['seconds'])} on {on}" + (
        "" if expected["is_up"] else " like those that ran it before (none is up)"
    )
    said += ", once they have loaded it"
    if unmeasured:
        has = "worker has" if unmeasured == 1 else "workers have"
        said += f"; less, since {unmeasured:,} more {has} not run it yet"
    words = {"takes": said, "estimates": _record_in_words(expected["last_estimates"])}
    if expected["cost"] is not None:
        is_little = 0 < expected["cost"] < _LEAST_COST
        words["costs"] = f"less than {_LEAST_COST}" if is_little else f"{expected['cost']:,.2f}"
    return words


def _record_in_words(last: Mapping[str, Any] | None) -> str:
    if last is None:
        return "none has been checked against a job yet"
    off = percent(last["typical_error"])
    if last["number"] == 1:
        return f"off by {off} in the last job of this model"
    return (
        f"off by {off} in the last {last['number']:,} jobs of this model "
        f"(at most {percent(last['worst_error'])})"
    )
