"""`regatta quarantine`: items that could not be processed."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import click

from cli.again import check_found, run_again, select_items
from cli.options import format_option, job_argument, raw_option
from cli.session import job_of, opened, say
from cli.show.log_lines import readable
from cli.show.output import chosen, print_object, print_records
from core.errors import UsageError
from core.escape import printable
from core.keys import key_to_text, text_to_key
from core.options import ModelRef
from core.sources import place_in
from core.times import iso
from core.wording import count
from store.artefacts import part_of
from store.committed import QuarantinedItem, quarantined_items, quarantined_rows
from store.database import Database
from store.dismissals import dismiss as dismiss_items
from store.dismissals import dismissals_of
from store.jobs import sources_of
from store.locations import absolute
from store.manifests import decode_items
from store.own_objects import own_object
from store.shard_log import log_of
from store.tables import Job, Shard

items_argument = click.argument("items", metavar="ITEM...", nargs=-1, required=True)


@click.group(epilog="Example: regatta quarantine list latest")
def quarantine() -> None:
    """Look at items that could not be processed, try them again, or dismiss them."""


@quarantine.command(
    "list", epilog="Example: regatta quarantine list latest --reason decode_failed --format csv"
)
@job_argument
@click.option(
    "--reason", "reasons", multiple=True, help="Only items with this reason, such as decode_failed."
)
@click.option("--all", "is_all", is_flag=True, help="Also those that were dismissed.")
@format_option
@raw_option
def list_(*, job: str, reasons: tuple[str, ...], is_all: bool, form: str | None, raw: bool) -> None:
    """Print the quarantined items of JOB with their reasons, how often each reason came first."""
    with opened() as (_, db):
        found = job_of(db, job)
        dismissed = db.read(lambda s: dismissals_of(s, found.id))
        why = {one.item: one.reason for one in dismissed.values()}
        columns = ["item", "reason"]
        if len(ModelRef.from_json(found.model).members) > 1:
            columns.insert(1, "model")
        if is_all and why:
            columns.append("dismissed")
        form = chosen(form)
        if form == "table":
            rows = _rows(db, found, reasons, {} if is_all else why)
            for line in _by_reason(rows):
                click.echo(line)
        rows = _rows(db, found, reasons, {} if is_all else why)
        if is_all:
            rows = ({**row, "dismissed": why.get(row["item"])} for row in rows)
        print_records(rows, columns, form, raw=raw)
        if why and not is_all:
            say(f"{count(len(dismissed), 'item')} dismissed: --all shows them")


def _rows(
    db: Database, job: Job, reasons: Iterable[str], without: Iterable[str]
) -> Iterator[dict[str, Any]]:
    wanted, hidden = frozenset(reasons), frozenset(without)
    for row in quarantined_rows(db, job):
        if row["item"] not in hidden and (not wanted or _kind(row["reason"]) in wanted):
            yield row


def _kind(reason: str | None) -> str:
    return (reason or "no reason").partition(":")[0]


def _by_reason(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield how many items have which reason, the most frequent first."""
    seen = dict.fromkeys((row["item"], _kind(row["reason"])) for row in rows)
    counts = Counter(kind for _, kind in seen)
    for kind, number in counts.most_common():
        yield f"{number:>9,}  {printable(kind)}"
    if counts:
        yield ""


@quarantine.command(epilog="Example: regatta quarantine show latest harbour/0042.jpg")
@job_argument
@click.argument("item")
@format_option
def show(*, job: str, item: str, form: str | None) -> None:
    """Show what is known about the quarantined ITEM of JOB: why, where, how often it was tried.

    What the worker logged about it, and about the shard that it is in, is kept with the job, so
    that nobody needs to look for the log of the machine that ran it.
    """
    with opened() as (_, db):
        found = job_of(db, job)
        every = list(_named(db, found, item))
        form = chosen(form)
        for shard, one in every:
            about = _about(db, found, shard, one)
            log = about.pop("log")
            if form != "table":
                print_object({**about, "log": log}, form)
                continue
            print_object({name: value for name, value in about.items() if value is not None}, form)
            for line in log:
                click.echo(readable(json.dumps(line, ensure_ascii=False)))


def _named(db: Database, job: Job, name: str) -> Iterator[tuple[Shard, QuarantinedItem]]:
    """Yield the quarantined items of a name: a list may name one more than once.

    Raises:
        UsageError: there is none.
    """
    found = (
        (shard, item)
        for shard, items in quarantined_items(db, job)
        for item in items
        if item.item == name
    )
    first = next(found, None)
    if first is None:
        check_found(db, job, [name], [])
    else:
        yield from chain([first], found)


def _about(db: Database, job: Job, shard: Shard, item: QuarantinedItem) -> dict[str, Any]:
    dismissal = db.read(lambda s: dismissals_of(s, job.id)).get(item.index)
    lines = db.read(lambda s: log_of(s, shard.id))
    return {
        "item": item.item,
        "reason": "; ".join(item.reasons),
        "dismissed": None if dismissal is None else dismissal.reason,
        "dismissed_at": None if dismissal is None else iso(dismissal.dismissed_at),
        "lies_at": _place(job, shard, item),
        "bytes": item.size,
        "part": part_of(shard),
        "shard_attempts": shard.attempt,
        "shard_tries": shard.tries,
        "killed_alone": shard.deaths.get(str(item.index), 0),
        "shard_error": shard.error,
        "log": [line for line in lines if line.get("item", item.item) == item.item],
    }


def _place(job: Job, shard: Shard, item: QuarantinedItem) -> str | None:
    """Return where an item lies: its list says so, or its key in its source."""
    key, own = text_to_key(item.item), None
    for each in decode_items(
        own_object(job.id, job.output, shard.items_key), shard.start, shard.stop
    ):
        if each.index == item.index:
            own = each.uri
    if own is not None:
        return key_to_text(own)
    root, rest = place_in(sources_of(job), key)
    return key_to_text(f"{absolute(root).rstrip('/')}/{rest}")


@quarantine.command(
    epilog="Example: regatta quarantine retry latest; regatta quarantine retry 4k2 'harbour/*.jpg'"
)
@job_argument
@click.argument("items", metavar="[ITEM]...", nargs=-1)
def retry(*, job: str, items: tuple[str, ...]) -> None:
    """Run the quarantined items of JOB again, or only those named; what succeeded stays.

    ITEM is a name, or a glob in quotes. Items that were dismissed run again only if they are named,
    and are not dismissed any more then.
    """
    run_again(job, items=items)


@quarantine.command(
    epilog="Example: regatta quarantine dismiss latest 'tests/*' --reason 'broken on purpose'"
)
@job_argument
@items_argument
@click.option("--reason", required=True, help="Why nobody needs to look at them.")
def dismiss(*, job: str, items: tuple[str, ...], reason: str) -> None:
    """Dismiss quarantined items of JOB: they stay in quarantine, but are no trouble any more.

    ITEM is a name, or a glob in quotes. `retry` leaves them alone, unless told --all;
    `quarantine retry JOB ITEM` takes a dismissal back and tries the item again.
    """
    if not reason.strip():
        raise UsageError("--reason says nothing")
    with opened() as (_, db):
        found = job_of(db, job)
        some = [one for _, of in quarantined_items(db, found) for one in select_items(of, items)]
        check_found(db, found, items, some)
        names = {one.index: one.item for one in some}
        db.write(lambda s: dismiss_items(s, found.id, names, reason, now=db.now(s)))
        say(f"{count(len(names), 'item')} of job {found.id} dismissed")
