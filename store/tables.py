"""The tables. Times are seconds since the epoch, UTC; items are never rows here.

Each table has one module beside this one that reads and writes it.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import Double

from core.kinds import ShardKind
from core.states import JobState, ShardState
from core.ways import Way

_JSON = JSON(none_as_null=True)  # so that `IS NULL` finds missing values
# States are stored as the words that people read, and a new one needs no migration.
_WORD = Enum(
    StrEnum,
    native_enum=False,
    create_constraint=False,
    length=16,
    values_callable=lambda words: [word.value for word in words],
)
# So are kinds; but a row whose kind only a newer version knows must still be readable.
_KIND = String(16)
_BIG = BigInteger().with_variant(Integer, "sqlite")  # SQLite only counts up INTEGER keys


class Base(DeclarativeBase):
    """The base of all tables. It names constraints alike on every database, for migrations."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own way to declare it
        dict[str, Any]: _JSON,
        list[Any]: _JSON,
        float: Double,
        StrEnum: _WORD,
    }


class Model(Base):
    """A registered model: a name for a directory whose content the export's digest fixes."""

    __tablename__ = "models"

    name: Mapped[str] = mapped_column(primary_key=True)
    task: Mapped[str]
    digest: Mapped[str]
    location: Mapped[str]
    card: Mapped[dict[str, Any]]
    added_at: Mapped[float]


class Job(Base):
    """A dataset job. `state` drives; `error` and the times only report."""

    __tablename__ = "jobs"
    __table_args__ = (Index(None, "state"), Index(None, "created_at"))

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    # The kind of the shards that its planner plans.
    kind: Mapped[str] = mapped_column(
        _KIND, default=ShardKind.INFER.value, server_default=text("'infer'")
    )
    task: Mapped[str]
    source: Mapped[str]
    output: Mapped[str]
    model: Mapped[dict[str, Any]]
    # Traits of its networks (`core.batching`), by digest; null if an earlier release wrote the row.
    networks: Mapped[dict[str, Any] | None]
    options: Mapped[dict[str, Any]]
    selection: Mapped[dict[str, Any]]
    # What was asked for (`core.request`), and the effective values for each model, such as its own
    # threshold. Null if a version that kept neither wrote the row.
    request: Mapped[dict[str, Any] | None]
    effective: Mapped[dict[str, Any] | None]
    tags: Mapped[list[Any]]
    version: Mapped[str]
    state: Mapped[JobState]
    priority: Mapped[int]
    generation: Mapped[int] = mapped_column(default=0)
    # The profile it is frozen to, and those it was moved from, oldest first (`store.profiles`).
    profile: Mapped[dict[str, Any] | None]
    past_profiles: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    created_at: Mapped[float]
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]
    error: Mapped[str | None]
    # Planning: a leased, fenced walk over the listing. It continues after `plan_cursor`, which
    # moves in the transaction that adds the shards up to there.
    planned_at: Mapped[float | None]
    plan_owner: Mapped[str | None]
    plan_lease_until: Mapped[float | None]
    plan_attempt: Mapped[int] = mapped_column(default=0)
    plan_cursor: Mapped[dict[str, Any] | None]
    plan_parts: Mapped[int] = mapped_column(default=0)
    listed: Mapped[int] = mapped_column(_BIG, default=0)
    shards: Mapped[int] = mapped_column(default=0)
    # What holds instead of the option `max_quarantined` since the job was last resumed.
    max_quarantined: Mapped[str | None]
    passed_over: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # What planning found that people should know (`core.plan_warnings`). Null: nothing.
    warnings: Mapped[dict[str, Any] | None]
    # The job whose results it carries over as far as nothing changed, the number of items that it
    # took over, and what the comparison found (`core.comparison`). Null: it does everything itself.
    since_job: Mapped[str | None]
    carried: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    comparison: Mapped[dict[str, Any] | None]
    # Who is told when it ends. Null: nobody.
    notify: Mapped[dict[str, Any] | None]


class JobReference(Base):
    """`job_id` reads what `refers_to` made, so the latter must stay."""

    __tablename__ = "job_references"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    refers_to: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True, index=True)
    why: Mapped[str]


class JobCompaction(Base):
    """A job that compacts the results of another, as they were in one of its generations.

    Nobody reads what it made before it is adopted.
    """

    __tablename__ = "compactions"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    of_job: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    generation: Mapped[int]
    adopted_at: Mapped[float | None]


class Shard(Base):
    """A slice of a job's items: rows `start:stop` of the item manifest `items_key`."""

    __tablename__ = "shards"
    __table_args__ = (
        UniqueConstraint("job_id", "seq"),
        Index(None, "state", "available_at"),
        Index(None, "job_id", "state"),
        Index(None, "queue", "state"),
        Index(None, "job_id", "part", unique=True),  # rows without a name don't clash
    )

    id: Mapped[int] = mapped_column(_BIG, primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    # Planned shards count up from 0 in listing order, children down from -1 as they come: a
    # child's number decides nothing but the order of running.
    seq: Mapped[int]
    # The name of its artefacts, if that is not its seq: for example a child's.
    part: Mapped[str | None]
    kind: Mapped[str] = mapped_column(_KIND)
    queue: Mapped[str]
    items_key: Mapped[str]
    start: Mapped[int]
    stop: Mapped[int]
    items: Mapped[int]  # those that it has to settle itself; the rest is left to its children
    spec: Mapped[dict[str, Any] | None]  # what its kind needs to know besides the items
    state: Mapped[ShardState]
    attempt: Mapped[int] = mapped_column(default=0)  # the fencing token: only ever counts up
    tries: Mapped[int] = mapped_column(default=0)  # runs that count against the limit
    available_at: Mapped[float] = mapped_column(default=0.0)
    queued_at: Mapped[float | None]
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]
    lease_until: Mapped[float | None]
    worker_id: Mapped[str | None]
    progress: Mapped[int] = mapped_column(default=0)  # items done so far, for display
    error: Mapped[str | None]
    # A suspect was running when its process died; it runs alone until it has committed.
    suspect: Mapped[bool] = mapped_column(default=False)
    deaths: Mapped[dict[str, Any]] = mapped_column(default=dict)
    trial: Mapped[dict[str, Any] | None]
    # The number of the job's profile that the last attempt ran under.
    profile_number: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    # The committed part. A reopened shard keeps it: only its quarantined items run again. Digest
    # and size are those of the rows; `artefacts` are everything else, and the legends of the rows.
    part_attempt: Mapped[int | None]
    part_digest: Mapped[str | None]
    part_size: Mapped[int | None]
    artefacts: Mapped[list[Any] | None]
    succeeded: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    quarantined: Mapped[int] = mapped_column(default=0)
    timings: Mapped[dict[str, Any] | None]
    # How many items of the part succeeded or were skipped, by the number of the job's profile.
    # Null: all under the first, as before jobs could be moved.
    part_profiles: Mapped[dict[str, Any] | None]
    # The positions of the items that a retry runs again. Null: all that did not succeed.
    again: Mapped[list[Any] | None]
    # The last lines that were logged about it (`store.shard_log`), while anything is wrong with it.
    log: Mapped[list[Any] | None] = mapped_column(deferred=True)


class Dismissal(Base):
    """A quarantined item that a person has dismissed: it is no longer anybody's trouble."""

    __tablename__ = "dismissals"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    item_index: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    item: Mapped[str]
    reason: Mapped[str]
    dismissed_at: Mapped[float]


class Estimate(Base):
    """How long a job was expected to take, to be compared with how long it took."""

    __tablename__ = "estimates"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    model_digest: Mapped[str] = mapped_column(index=True)
    items: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float]
    estimated_at: Mapped[float]


class Notification(Base):
    """Something that happened to a job, and somebody who is to be told; sent at least once."""

    __tablename__ = "notifications"
    __table_args__ = (Index(None, "state", "next_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)  # the same at every try
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    event: Mapped[str] = mapped_column(String(16))
    target: Mapped[dict[str, Any]]
    receiver: Mapped[str]  # who it is, as it may be shown; one that hangs holds up no other
    payload: Mapped[dict[str, Any]]  # what they are told, as it was when it happened
    state: Mapped[str] = mapped_column(String(16))
    tries: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[float]
    owner: Mapped[str | None]
    lease_until: Mapped[float | None]
    error: Mapped[str | None]
    created_at: Mapped[float]
    ended_at: Mapped[float | None]


class Schedule(Base):
    """A job that is submitted again and again (`core.schedule`)."""

    __tablename__ = "schedules"
    __table_args__ = (Index(None, "state", "next_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    definition: Mapped[dict[str, Any]]
    revision: Mapped[int] = mapped_column(default=1)
    state: Mapped[str] = mapped_column(String(16))
    next_at: Mapped[float | None]
    created_at: Mapped[float]
    changed_at: Mapped[float]


class ScheduleRevision(Base):
    """A schedule as it was defined from one edit to the next."""

    __tablename__ = "schedule_revisions"

    schedule_id: Mapped[str] = mapped_column(
        ForeignKey("schedules.id", ondelete="CASCADE"), primary_key=True
    )
    revision: Mapped[int] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]]
    changed_at: Mapped[float]


class ScheduleFire(Base):
    """One of a schedule's times and what it brought: its key keeps it from firing twice.

    The job's id is chosen with the row, before there is a job: whoever takes over submits the same.
    """

    __tablename__ = "schedule_fires"
    __table_args__ = (Index(None, "state", "pause_at"), Index(None, "job_id"))

    schedule_id: Mapped[str] = mapped_column(
        ForeignKey("schedules.id", ondelete="CASCADE"), primary_key=True
    )
    due_at: Mapped[float] = mapped_column(primary_key=True)
    revision: Mapped[int]
    cause: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    job_id: Mapped[str | None]
    pause_at: Mapped[float | None]  # when its window closes; null once that was seen to
    why: Mapped[str | None]
    # While it fires: how often that could not be done, and when anybody may try again.
    tries: Mapped[int] = mapped_column(default=0)
    try_at: Mapped[float | None]
    fired_at: Mapped[float]


class ShardDependency(Base):
    """`shard_id` waits until `needs_id` has ended."""

    __tablename__ = "shard_dependencies"

    shard_id: Mapped[int] = mapped_column(
        ForeignKey("shards.id", ondelete="CASCADE"), primary_key=True
    )
    needs_id: Mapped[int] = mapped_column(
        ForeignKey("shards.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Process(Base):
    """A worker or a scheduler, as its last heartbeat left it."""

    __tablename__ = "processes"
    __table_args__ = (Index(None, "role", "heartbeat_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str]
    started_at: Mapped[float]
    heartbeat_at: Mapped[float]
    draining: Mapped[bool] = mapped_column(default=False)
    slots: Mapped[int] = mapped_column(default=0)
    queues: Mapped[list[Any]]
    offers: Mapped[list[Any]]
    # The kinds of shards that a worker runs, or a scheduler plans. Null: a version before kinds.
    kinds: Mapped[list[Any] | None]


class SickDevice(Base):
    """An engine on a device of a machine whose last processes failed on inputs that are good."""

    __tablename__ = "sick_devices"

    host: Mapped[str] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(primary_key=True)
    engine: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]  # in a row
    has_run: Mapped[bool]  # whether a network that failed had run there before
    error: Mapped[str]
    failed_at: Mapped[float]
    left_out_at: Mapped[float | None]  # no worker there offers the engine any more


class Rate(Base):
    """How many items a second one process lately ran of a model on an engine."""

    __tablename__ = "rates"

    model_digest: Mapped[str] = mapped_column(primary_key=True)
    engine: Mapped[str] = mapped_column(primary_key=True)
    items_per_second: Mapped[float]
    measured_at: Mapped[float]


class Verdict(Base):
    """The way in which a network runs on an engine, as a comparison with plain Paddle decided."""

    __tablename__ = "verdicts"

    digest: Mapped[str] = mapped_column(primary_key=True)
    engine: Mapped[str] = mapped_column(primary_key=True)
    way: Mapped[Way]
    report: Mapped[dict[str, Any]]
    compared_at: Mapped[float]


UNHELD: dict[str, Any] = {"lease_until": None, "worker_id": None, "trial": None, "progress": 0}
"""What a shard's row says while nobody holds it."""

UNPLANNED: dict[str, Any] = {"plan_owner": None, "plan_lease_until": None}
"""What a job's row says while nobody plans it."""
