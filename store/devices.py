"""Devices whose engine failed on inputs that are good, and those that are left out for it.

A device is a machine's host name, what a worker is pinned to there (`cpu`, `gpu0`), and the key of
an engine's offer. Its row appears with the first failure and goes with the next committed shard:
what counts are failures in a row.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from store.rows import column_text, count, new_or_known
from store.tables import SickDevice

MOST_FAILURES = 3
"""So many processes in a row that an engine failed in are enough."""

_FORGOTTEN_SECONDS = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Device:
    """What a worker process is pinned to."""

    host: str
    name: str


def note_failure(
    session: Session, device: Device, engine: str, error: str, *, has_run: bool, now: float
) -> SickDevice:
    """Count a failure, and leave the device out once there are too many; return its row.

    `has_run` says that the network which failed has run on this engine before. If that is true of
    no failure in the row, the device is not left out: the network may be unfit.
    """
    session.execute(delete(SickDevice).where(SickDevice.failed_at < now - _FORGOTTEN_SECONDS))
    key = {"host": device.host, "device": device.name, "engine": engine}
    new = key | {"failures": 0, "has_run": False, "error": "", "failed_at": now}
    session.execute(new_or_known(session, SickDevice, new).on_conflict_do_nothing())
    row = session.get_one(SickDevice, key, populate_existing=True, with_for_update=True)
    row.failures += 1
    row.has_run = row.has_run or has_run
    row.error = column_text(error)
    row.failed_at = now
    if row.failures >= MOST_FAILURES and row.has_run:
        row.left_out_at = row.left_out_at or now
    session.flush()
    return row


def failing(session: Session, device: Device) -> Sequence[SickDevice]:
    """Return the rows of a device: an engine each that failed in the last process."""
    return session.scalars(
        select(SickDevice).where(SickDevice.host == device.host, SickDevice.device == device.name)
    ).all()


def left_out(session: Session, hosts: Collection[str]) -> Sequence[SickDevice]:
    """Return what is left out on these machines."""
    return session.scalars(
        select(SickDevice)
        .where(SickDevice.left_out_at.is_not(None), SickDevice.host.in_(hosts))
        .order_by(SickDevice.host, SickDevice.device, SickDevice.engine)
    ).all()


def forgive(session: Session, device: Device, engine: str | None = None) -> int:
    """Forget a device's failures, on one engine or on all; return on how many there were any."""
    which = [SickDevice.host == device.host, SickDevice.device == device.name]
    if engine is not None:
        which.append(SickDevice.engine == engine)
    return count(session, delete(SickDevice).where(*which))
