"""Measured rates, by which the planner sizes shards."""

from sqlalchemy.orm import Session

from store.tables import Rate

_WEIGHT = 0.3


def note_rate(
    session: Session, model_digest: str, engine: str, items_per_second: float, *, now: float
) -> None:
    """Blend a new measurement into the model's rate on this engine."""
    rate = session.get(Rate, (model_digest, engine))
    if rate is None:
        session.add(
            Rate(
                model_digest=model_digest,
                engine=engine,
                items_per_second=items_per_second,
                measured_at=now,
            )
        )
        return
    rate.items_per_second += _WEIGHT * (items_per_second - rate.items_per_second)
    rate.measured_at = now


def rate_of(session: Session, model_digest: str, engine: str) -> float | None:
    """Return items a second of one process, or None if never measured."""
    rate = session.get(Rate, (model_digest, engine))
    return None if rate is None else rate.items_per_second
