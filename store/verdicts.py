"""Verdicts: in which way a network runs on an engine, as a comparison with plain Paddle decided.

The first writer wins and everybody obeys: two workers that compare at the same time may judge a
close call differently, and one network must not run in two ways.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.ways import Way
from store import tables
from store.rows import new_or_known


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the network of this digest runs on `engine` (an offer's key), and what was measured."""

    digest: str
    engine: str
    way: Way
    report: Mapping[str, Any]
    compared_at: float


def verdict_of(session: Session, digest: str, engine: str) -> Verdict | None:
    """Return the verdict on a network, if there is one."""
    row = session.get(tables.Verdict, (digest, engine), populate_existing=True)
    return None if row is None else _verdict(row)


def give_verdict(session: Session, verdict: Verdict) -> Verdict:
    """Record a verdict on a network unless there is one; return the one that stands."""
    values = {
        "digest": verdict.digest,
        "engine": verdict.engine,
        "way": verdict.way,
        "report": dict(verdict.report),
        "compared_at": verdict.compared_at,
    }
    session.execute(new_or_known(session, tables.Verdict, values).on_conflict_do_nothing())
    key = (verdict.digest, verdict.engine)
    return _verdict(session.get_one(tables.Verdict, key, populate_existing=True))


def verdicts_on(session: Session, digests: Iterable[str]) -> Sequence[Verdict]:
    """Return the verdicts on these networks on all engines, in a fixed order."""
    rows = session.scalars(
        select(tables.Verdict)
        .where(tables.Verdict.digest.in_(tuple(digests)))
        .order_by(tables.Verdict.digest, tables.Verdict.engine)
    )
    return [_verdict(row) for row in rows]


def _verdict(row: tables.Verdict) -> Verdict:
    return Verdict(row.digest, row.engine, row.way, row.report, row.compared_at)
