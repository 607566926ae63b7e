"""Measured rates, by which the planner sizes shards."""

from sqlalchemy.orm import Session

from store.rows import new_or_known
from store.tables import Rate

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
