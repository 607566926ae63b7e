"""Speeds of jobs, and of models on engines: measured, for people and planners."""

import math
from collections.abc import Mapping
from statistics import fmean, stdev

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.kinds import COUNT
from core.stages import busy_seconds
from core.states import ShardState
from store.rows import new_or_known
from store.tables import Rate, Shard

_WEIGHT = 0.3


def note_rate(
    session: Session, model_digest: str, engine: str, items_per_second: float, *, now: float
) -> None:
    """Blend a new measurement into the model's rate on this engine."""
    measured = {
        "model_digest": model_digest,
        "engine": engine,
        "items_per_second": items_per_second,
        "measured_at": now,
    }
    before = Rate.items_per_second
    statement = new_or_known(session, Rate, measured).on_conflict_do_update(
        index_elements=[Rate.model_digest, Rate.engine],
        set_={
            "items_per_second": before + _WEIGHT * (items_per_second - before),
            "measured_at": now,
        },
    )
    session.execute(statement)


def rate_of(session: Session, model_digest: str, engine: str) -> float | None:
    """Return items a second of one process, or None if never measured."""
    rate = session.get(Rate, (model_digest, engine))
    return None if rate is None else rate.items_per_second


def rates_of(session: Session, model_digest: str) -> dict[str, float]:
    """Return the items a second of one shard of this model, by the engine on which it ran."""
    rows = session.execute(
        select(Rate.engine, Rate.items_per_second).where(
            Rate.model_digest == model_digest, Rate.items_per_second > 0
        )
    )
    return {row.engine: row.items_per_second for row in rows}


WINDOW_SECONDS = 60.0
_LAST_SHARDS = 64
_SHORTEST_SECONDS = 1.0
_FEWEST_SHARDS = 3
_ONE_IN_FIVE = 1.28  # standard deviations that a normal distribution exceeds, up or down


def pace(
    session: Session,
    started: Mapping[str, float],
    *,
    now: float,
    window: float = WINDOW_SECONDS,
) -> dict[str, float]:
    """Return the items a second of jobs over the last `window` seconds, in one query.

    `started` says when each job began. A shard's items count as spread evenly over its run.
    """
    since = now - window
    rows = session.execute(
        select(
            Shard.job_id,
            Shard.started_at,
            Shard.finished_at,
            Shard.state,
            Shard.progress,
            Shard.succeeded + Shard.skipped + Shard.quarantined,
        ).where(
            Shard.job_id.in_(started),
            Shard.kind.in_(COUNT),
            Shard.started_at.is_not(None),
            or_(Shard.state == ShardState.RUNNING, Shard.finished_at > since),
        )
    ).all()
    done = dict.fromkeys(started, 0.0)
    for job, begin, finish, state, progress, settled in rows:
        runs = state is ShardState.RUNNING
        done[job] += _within(begin or since, now if runs else finish, since) * (
            progress if runs else settled
        )
    return {job: items / _span(started[job], now, window) for job, items in done.items()}


def deviation(session: Session, job_id: str, left: int) -> float | None:
    """Return how far off the time for the `left` items of a job may be, as a share of it.

    The seconds an item of the shards that ended lately vary; if those to come vary alike, the
    share is exceeded in one case of five. None if too few shards have ended.
    """
    rows = session.execute(
        select(
            Shard.started_at,
            Shard.finished_at,
            Shard.succeeded + Shard.skipped + Shard.quarantined,
        )
        .where(
            Shard.job_id == job_id,
            Shard.kind.in_(COUNT),
            Shard.started_at.is_not(None),
            Shard.state.in_((ShardState.COMMITTED, ShardState.DONE)),
        )
        .order_by(Shard.finished_at.desc())
        .limit(_LAST_SHARDS)
    ).all()
    ended = [
        (finish - begin, items)
        for begin, finish, items in rows
        if begin is not None and finish is not None and finish > begin and items
    ]
    if len(ended) < _FEWEST_SHARDS or left <= 0:
        return None
    each = [seconds / items for seconds, items in ended]
    to_come = left / (sum(items for _, items in ended) / len(ended))
    spread = stdev(each) / fmean(each)
    return _ONE_IN_FIVE * spread * math.sqrt(1 / len(each) + 1 / max(1.0, to_come))


def stage_seconds(session: Session, job_id: str) -> tuple[dict[str, float], int]:
    """Return how long each stage was busy with a job's last shards, and how many items they had."""
    ended = (ShardState.COMMITTED, ShardState.DONE)
    rows = session.execute(
        select(Shard.timings, Shard.succeeded + Shard.skipped + Shard.quarantined)
        .where(Shard.job_id == job_id, Shard.state.in_(ended))
        .order_by(Shard.seq.desc())
        .limit(_LAST_SHARDS)
    ).all()
    return busy_seconds(timings for timings, _ in rows), sum(items for _, items in rows)


def _within(begin: float, end: float | None, since: float) -> float:
    """Return the share of a run after `since`; 1 if it ended at once or its start is unknown."""
    if begin >= since or end is None or end <= begin:
        return 1.0
    return max(0.0, (end - since) / (end - begin))


def _span(started: float, now: float, window: float) -> float:
    return max(_SHORTEST_SECONDS, min(window, now - started))
