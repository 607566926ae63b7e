"""Heartbeats: which workers and schedulers are alive, and what they can run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.kinds import BEFORE_KINDS, NEED_ENGINE, ShardKind
from core.profile import EngineOffer, ExecutionProfile, Offered
from store.rows import count, new_or_known
from store.tables import Process

WORKER = "worker"
SCHEDULER = "scheduler"
_FORGOTTEN_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a process says about itself. A scheduler has no slots, queues or offers.

    `kinds` are those of the shards that a worker runs, or a scheduler plans and dispatches.
    """

    id: str
    role: str
    host: str
    pid: int
    version: str
    draining: bool = False
    slots: int = 0
    queues: tuple[str, ...] = ()
    offers: tuple[Offered, ...] = ()
    kinds: tuple[ShardKind, ...] = ()


def draining(heartbeat: Heartbeat) -> Heartbeat:
    """Return the heartbeat of a process that takes no more work."""
    return replace(heartbeat, draining=True)


def beat(session: Session, heartbeat: Heartbeat, *, now: float) -> None:
    """Write a heartbeat, the first one included."""
    news: dict[str, Any] = {
        "draining": heartbeat.draining,
        "slots": heartbeat.slots,
        "queues": list(heartbeat.queues),
        "offers": [offered.to_json() for offered in heartbeat.offers],
        "kinds": sorted(kind.value for kind in heartbeat.kinds),
        "heartbeat_at": now,
    }
    first = {
        "id": heartbeat.id,
        "role": heartbeat.role,
        "host": heartbeat.host,
        "pid": heartbeat.pid,
        "version": heartbeat.version,
        "started_at": now,
    }
    session.execute(
        new_or_known(session, Process, first | news).on_conflict_do_update(
            index_elements=[Process.id], set_=news
        )
    )


def leave(session: Session, process_id: str) -> None:
    """Remove a process that ends in order."""
    session.execute(delete(Process).where(Process.id == process_id))


def live(session: Session, role: str, *, now: float, within: float) -> Sequence[Process]:
    """Return the processes of a role that were heard of within the last `within` seconds."""
    return session.scalars(
        select(Process)
        .where(Process.role == role, Process.heartbeat_at > now - within)
        .order_by(Process.started_at, Process.id)
    ).all()


def offers_of(process: Process) -> tuple[EngineOffer, ...]:
    """Return what a worker said that it can run."""
    return tuple(EngineOffer.from_json(offer) for offer in process.offers)


def knows(process: Process, kind: ShardKind) -> bool:
    """Return whether a process knows this kind; versions before kinds said nothing about it."""
    return kind.value in (BEFORE_KINDS if process.kinds is None else process.kinds)


def takes(worker: Process, queue: str, kind: ShardKind, profile: ExecutionProfile | None) -> bool:
    """Return whether a worker can run shards of this kind from a queue, under a profile if needed.

    As long as a job's profile isn't frozen, any offer may become it.
    """
    if queue not in worker.queues or not knows(worker, kind):
        return False
    if kind not in NEED_ENGINE:
        return True
    return bool(worker.offers) if profile is None else profile.runs_on(offers_of(worker))


def offered(workers: Iterable[Process], queue: str) -> list[EngineOffer]:
    """Return what the workers that serve a queue can run, each offer once, in a fixed order."""
    found = {o for w in workers if queue in w.queues for o in offers_of(w)}
    return sorted(found, key=lambda offer: offer.key)


def offered_by_each(workers: Iterable[Process], queue: str) -> list[tuple[Offered, ...]]:
    """Return what each worker that serves a queue offers, with what it says beside it."""
    return [
        tuple(map(Offered.from_json, worker.offers)) for worker in workers if queue in worker.queues
    ]


def alive_ids(session: Session, ids: Iterable[str], *, now: float, within: float) -> set[str]:
    """Return which of these processes were heard from lately."""
    return set(
        session.scalars(
            select(Process.id).where(
                Process.id.in_(tuple(ids)), Process.heartbeat_at > now - within
            )
        )
    )


def forget_silent(session: Session, *, now: float) -> None:
    """Drop the rows of processes that nobody has heard from for a day."""
    session.execute(delete(Process).where(Process.heartbeat_at < now - _FORGOTTEN_SECONDS))


def forget(session: Session, host: str, pid: int) -> int:
    """Drop the rows of a process that is known to have died, so that its shards move on at once.

    Returns:
        How many rows there were.
    """
    return count(session, delete(Process).where(Process.host == host, Process.pid == pid))
