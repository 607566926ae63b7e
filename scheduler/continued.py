"""Sorts what a source lists by what an earlier job has results of: what is new, and what stands.

A batch of the listing is joined with the earlier view (`scheduler.earlier_view`) in SQL, by key and
then by content; only what is to be done becomes items.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import groupby
from operator import itemgetter

import pyarrow as pa
import pyarrow.compute as pc

from core.comparison import Comparison
from core.digests import Digests
from core.errors import RetryableError
from core.items import ItemRef
from core.kinds import ShardKind
from core.layout import carried_part
from core.messages import queue_for
from core.numerics import REVISIONS, are_present
from core.option import OPTION
from core.options import JobOptions, ModelRef
from core.profile import EngineOffer, ExecutionProfile
from core.reasons import OF_DRAWING, TRANSIENT
from core.rendering import Drawn
from core.request import JobRequest
from core.sources import Source
from core.states import ENDED_JOBS, ItemState
from scheduler.earlier_view import EarlierView
from store import carried, processes
from store.database import Database
from store.jobs import get_job, sources_of
from store.locations import open_store
from store.manifests import item_table, read_items
from store.own_objects import own_object
from store.planning import NewShard, Taken
from store.settling import items_keys
from store.tables import Job

_STEP_SECONDS = 3.0
_HEARD_OF_SECONDS = 60.0

_LISTED = ("key", "uri", "size", "etag", "modified", "kind")


@dataclass(frozen=True, slots=True)
class Sorted:
    """A batch of a listing: the items to be done, why, and by which shards; the rest in numbers.

    Shards count from the first of `items`; the caller numbers both. `taken` is what the job has
    taken over so far, this batch included.
    """

    items: Sequence[ItemRef]
    whys: Sequence[str]
    shards: Sequence[NewShard]
    taken: Taken


class Continued:
    """The comparison of a job with an earlier one, from the beginning to the end of its planning.

    `advance` gets it ready, `sort` is given the listing in order, and `finished` counts what the
    listing lacks. `monotonic` bounds how long a step of the former takes.
    """

    def __init__(
        self, db: Database, job: Job, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Look at both jobs; nothing is read from their outputs yet.

        Raises:
            NewerError: a newer version wrote one of them.
        """
        self._db = db
        self._job = job
        self._monotonic = monotonic
        self._earlier = db.read(lambda s: get_job(s, job.since_job or ""))
        self._redo_on = frozenset(
            JobRequest.from_json(job.request).terms.redo_on if job.request else ()
        )
        self._cause = _why_all(self._earlier, job)
        self._redrawn = None if self._cause else _why_redrawn(self._earlier, job)
        self._options = JobOptions.from_json(job.options)
        self.comparison = Comparison.from_json(job.comparison or {})
        self._view: EarlierView | None = None
        self._steps: Iterator[None] = iter(())
        self._stale: dict[int, str] = {}
        self._is_ready = False

    def close(self) -> None:
        """Leave nothing behind."""
        if self._view is not None:
            self._view.close()
            self._view = None

    def advance(self) -> bool:
        """Get ready for a few seconds; return whether it is.

        Raises:
            RetryableError: the earlier job runs again, or the comparison needs to know what this
                one will run on.
        """
        if self._is_ready:
            return True
        if self._view is None:
            self._wait()
            self._view = EarlierView(self._db, self._earlier)
            self._steps = self._view.load()
        until = self._monotonic() + _STEP_SECONDS
        for _ in self._steps:
            if self._monotonic() > until:
                return False
        self._stale = dict(self._why_stale())
        self._is_ready = True
        return True

    def _wait(self) -> None:
        # A job that is only tried out has no row.
        earlier, job = self._db.read(
            lambda s: (get_job(s, self._earlier.id), s.get(Job, self._job.id) or self._job)
        )
        if earlier.state not in ENDED_JOBS:
            raise RetryableError(
                f"waiting for job {earlier.id}, with which it is compared: it runs again"
            )
        if "engine" in self._redo_on and job.profile is None:
            raise RetryableError(
                "waiting for a worker: --redo-on engine compares what results were made on"
            )
        self._earlier, self._job = earlier, job

    def _why_stale(self) -> Iterator[tuple[int, str]]:
        """Yield the numbers of parts that would be made otherwise today, and why."""
        assert self._view is not None
        profile = self._job.profile
        now = self._offered() if profile is None else ExecutionProfile.from_json(profile).offers
        for number in range(len(self._view.origins.names)):
            then = self._view.origins.offers(number)
            if not then:
                continue
            if not are_present(then) or _differ(then, now):
                yield number, "numerics revision changed"
            elif "engine" in self._redo_on and then != now:
                yield number, "engine changed"

    def _offered(self) -> Sequence[EngineOffer]:
        """Return what the job may run on, as it is not settled yet: what live workers offer."""
        workers = self._db.read(
            lambda s: processes.live(
                s, processes.WORKER, now=self._db.now(s), within=_HEARD_OF_SECONDS
            )
        )
        return processes.offered(workers, self._job.task)

    def sort(
        self,
        items: Sequence[ItemRef],
        items_key: str,
        *,
        shard_items: int,
        first: int,
        attempt: int,
    ) -> Sorted:
        """Sort a batch of the listing; what is taken over is written to the job's output.

        The items to be done are numbered from `first` on, and are to be written to `items_key`.
        `attempt` is that of the planning.
        """
        assert self._view is not None
        if not items:
            return Sorted((), (), (), Taken(self.comparison, ()))
        table = self._joined(items)
        fate = table["fate"].to_pylist()
        origin, place = table["origin"].to_pylist(), table["place"].to_pylist()
        whys = table["why"].to_pylist()
        done = [n for n, one in enumerate(fate) if one == _DONE]
        redrawn = [n for n, one in enumerate(fate) if one == _REDRAWN]
        redrawn.sort(key=lambda n: (origin[n], place[n], n))
        shards = [
            *self._inferred(items_key, len(done), shard_items),
            *self._rendered(items_key, len(done), [(origin[n], place[n]) for n in redrawn]),
        ]
        stands = table.filter(pc.equal(table["fate"], _CARRIED))
        manifests = self.comparison.manifests
        if len(stands):
            key = carried_part(len(manifests), attempt)
            data = carried.encode_carried(self._carried(stands))
            open_store(self._job.output).put(key, data, durable=True)
            manifests = (*manifests, key)
        comparison = replace(self._added(table), manifests=manifests)
        used = {origin[n] for n in redrawn} | set(pc.unique(stands["origin"]).to_pylist())
        jobs = {self._view.origins.names[number][0] for number in used}
        chosen = [*done, *redrawn]
        return Sorted(
            [replace(items[n], index=first + at) for at, n in enumerate(chosen)],
            [whys[n] for n in chosen],
            shards,
            Taken(comparison, sorted(jobs)),
        )

    def _joined(self, items: Sequence[ItemRef]) -> pa.Table:
        """Return a row for each item, in order: as it is listed, what stands for it, its fate."""
        assert self._view is not None
        listed = item_table(items).select(_LISTED)
        numbers = pa.array(range(len(items)), pa.int32())
        batch = listed.append_column("n", numbers)
        connection = self._view.connection
        stale = pa.table(
            {
                "origin": pa.array(self._stale, pa.int32()),
                "cause": pa.array(self._stale.values(), pa.string()),
            }
        )
        connection.register("batch", batch)
        connection.register("stale", stale)
        ends = pc.min_max(batch["key"])
        connection.execute(_BY_KEY, {"low": ends["min"].as_py(), "high": ends["max"].as_py()})
        connection.execute(_BY_CONTENT, {"cause": self._cause})
        causes = {"cause": self._cause, "redrawn": self._redrawn}
        table = connection.sql(_FATES, params=causes).to_arrow_table()
        connection.unregister("batch")
        connection.unregister("stale")
        return table

    def _added(self, table: pa.Table) -> Comparison:
        """Return the comparison with the numbers of a batch added."""
        counts = Counter(table["sort"].to_pylist())
        fates = Counter(table["fate"].to_pylist())
        before = self.comparison
        stood = counts["unchanged"] + counts["moved"] + counts["quarantined"]
        redone = before.redone + stood - fates[_CARRIED] - fates[_REDRAWN]
        redrawn = before.redrawn + fates[_REDRAWN]
        causes = [self._cause] if self._cause else []
        if redone and not causes:
            causes += sorted(set(self._stale.values()))
        if self._redrawn and (redrawn or (redone and not causes)):
            causes.append(self._redrawn)
        return replace(
            before,
            **{name: getattr(before, name) + number for name, number in counts.items()},
            redone=redone,
            redrawn=redrawn,
            cause=", ".join(causes) or None,
        )

    def _carried(self, stands: pa.Table) -> pa.Table:
        """Return the rows of a carried manifest."""
        assert self._view is not None
        names = zip(*self._view.origins.names, strict=True)
        origin = dict(
            zip(("job", "output", "part"), (pa.array(each) for each in names), strict=True)
        )
        columns = {
            **{name: stands[name] for name in (*_LISTED, "item", "state", "reason", "why")},
            **{name: each.take(stands["origin"]) for name, each in origin.items()},
            "index": stands["place"],
        }
        return pa.table([columns[name] for name in carried.SCHEMA.names], schema=carried.SCHEMA)

    def _inferred(self, items_key: str, count: int, shard_items: int) -> Iterator[NewShard]:
        queue = queue_for(self._job.task, ShardKind.INFER)
        for start in range(0, count, shard_items):
            stop = min(start + shard_items, count)
            yield NewShard(ShardKind.INFER, queue, items_key, start, stop)

    def _rendered(
        self, items_key: str, start: int, places: Sequence[tuple[int, int]]
    ) -> Iterator[NewShard]:
        """Yield a shard for each part whose rows are drawn; `places` are sorted by part."""
        assert self._view is not None
        queue = queue_for(self._job.task, ShardKind.RENDER)
        for number, group in groupby(places, key=itemgetter(0)):
            indexes = tuple(place for _, place in group)
            part = self._view.origins.part(number)
            job, output, key = part.name
            drawn = Drawn(job, output, key, part.sha256, part.legends, indexes=indexes)
            stop = start + len(indexes)
            yield NewShard(ShardKind.RENDER, queue, items_key, start, stop, spec=drawn.to_json())
            start = stop

    def known_of(self, source: Source) -> int:
        """Return how many items of one of several sources the earlier job has."""
        assert self._view is not None
        own, below = source.prefix, f"{source.prefix}/"
        [[known]] = self._view.connection.execute(
            "SELECT count(DISTINCT key) FROM known WHERE key = ? OR starts_with(key, ?)",
            [own, below],
        ).fetchall()
        return int(known)

    def finished(self) -> Comparison:
        """Return the comparison with what the listing lacks, once all of it was sorted."""
        assert self._view is not None
        connection = self._view.connection
        [[known]] = connection.execute("SELECT count(DISTINCT key) FROM known").fetchall()
        counts = self.comparison
        if not counts.moved and not self._may_repeat:
            met = counts.unchanged + counts.quarantined + counts.changed + counts.retried
            return replace(counts, gone=known - met)
        return replace(counts, gone=self._gone(self._listed()))

    def forecast(self, batches: Iterable[Sequence[ItemRef]]) -> Comparison:
        """Return what a job would find in a whole listing, of which nothing is written or kept."""

        def sorted_in() -> Iterator[pa.Table]:
            for items in batches:
                table = self._joined(items)
                self.comparison = self._added(table)
                yield table.select(_OF_LISTING)

        while not self.advance():
            pass
        gone = self._gone(sorted_in())
        return replace(self.comparison, gone=gone)

    def _gone(self, listing: Iterable[pa.Table]) -> int:
        """Return how many items a whole listing, of which these are the rows, lacks."""
        assert self._view is not None
        connection = self._view.connection
        connection.execute(_LISTING)
        for table in listing:
            connection.register("part", table)
            connection.execute("INSERT INTO listing SELECT * FROM part")
            connection.unregister("part")
        [[gone]] = connection.execute(_GONE).fetchall()
        return int(gone)

    @property
    def _may_repeat(self) -> bool:
        """Whether the source may list an item twice."""
        return any(source.kind.is_manifest for source in sources_of(self._job).values())

    def _listed(self) -> Iterator[pa.Table]:
        """Yield what the whole listing had, from the manifests that came of it."""
        output = self._job.output
        for key in sorted(self._db.read(lambda s: items_keys(s, self._job.id))):
            yield read_items(own_object(self._job.id, output, key), with_why=True).select(
                _OF_LISTING
            )
        for key in self.comparison.manifests:
            yield carried.decode_carried(own_object(self._job.id, output, key)).select(_OF_LISTING)


_OF_LISTING = ["key", "etag", "size", "why"]

_DONE, _REDRAWN, _CARRIED = "done", "redrawn", "carried"

_CODE = "split_part(coalesce({0}.reason, ''), ':', 1)"


def _texts(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in sorted(words))


_BY_KEY = """
CREATE OR REPLACE TEMP TABLE by_key AS
SELECT batch.n, known.* EXCLUDE (key, uri, size, etag),
    known.uri IS NOT DISTINCT FROM batch.uri AND known.etag = batch.etag
        AND coalesce(known.size = batch.size, true) AS is_same
FROM batch JOIN known ON known.key = batch.key
WHERE known.key BETWEEN $low AND $high
QUALIFY row_number() OVER (PARTITION BY batch.n ORDER BY is_same DESC NULLS LAST, origin) = 1
"""
"""What the earlier job has under the same keys; of an item that a list named twice, one row.

Nothing says that contents are the same if an ETag is missing.
"""

_BY_CONTENT = """
CREATE OR REPLACE TEMP TABLE by_content AS
WITH unknown AS (
    SELECT n, etag, size FROM batch
    WHERE $cause IS NULL AND regexp_full_match(etag, '[0-9a-f]{32}')
        AND n NOT IN (SELECT n FROM by_key WHERE is_same)
)
SELECT unknown.n, known.origin, known.place, known.item, known.state
FROM unknown JOIN known ON known.etag = unknown.etag AND known.size = unknown.size
WHERE known.state IN ('succeeded', 'skipped') AND known.origin NOT IN (SELECT origin FROM stale)
QUALIFY row_number() OVER (PARTITION BY unknown.n ORDER BY known.key) = 1
"""
"""What the earlier job has of the same contents, under other keys.

An ETag of S3 that has no dash is the MD5 of an object that was written in one go. (Of an object
that S3 encrypts with a key of its own service it is not, but then no two objects share one.)
"""

_FATES = f"""
WITH sorted AS (
    SELECT batch.*,
        coalesce(by_content.origin, by_key.origin) AS origin,
        coalesce(by_content.place, by_key.place) AS place,
        coalesce(by_content.item, by_key.item) AS item,
        coalesce(by_content.state, by_key.state) AS state,
        CASE WHEN by_content.n IS NULL THEN by_key.reason END AS reason,
        CASE
            WHEN by_content.n IS NOT NULL THEN 'moved'
            WHEN by_key.n IS NULL THEN 'new'
            WHEN by_key.is_same IS NOT TRUE THEN 'changed'
            WHEN by_key.state IS NULL THEN 'retried'
            WHEN by_key.state <> '{ItemState.QUARANTINED.value}' THEN 'unchanged'
            WHEN {_CODE.format("by_key")} IN ({_texts(TRANSIENT)}) THEN 'retried'
            ELSE 'quarantined'
        END AS sort
    FROM batch LEFT JOIN by_key USING (n) LEFT JOIN by_content USING (n)
), judged AS (
    SELECT sorted.*, coalesce($cause, stale.cause) AS cause,
        CASE
            WHEN sort IN ('new', 'changed', 'retried') OR coalesce($cause, stale.cause) IS NOT NULL
                THEN '{_DONE}'
            WHEN $redrawn IS NULL THEN '{_CARRIED}'
            WHEN sort <> 'quarantined' THEN '{_REDRAWN}'
            WHEN {_CODE.format("sorted")} IN ({_texts(OF_DRAWING)}) THEN '{_DONE}'
            ELSE '{_CARRIED}'
        END AS fate
    FROM sorted LEFT JOIN stale USING (origin)
)
SELECT * EXCLUDE (cause),
    CASE
        WHEN fate = '{_REDRAWN}' AND sort = 'unchanged' THEN '{_REDRAWN}'
        WHEN fate = '{_DONE}' AND sort IN ('unchanged', 'quarantined')
            THEN coalesce(cause, $redrawn)
        ELSE sort
    END AS why
FROM judged ORDER BY n
"""  # noqa: S608 - words of our own

_LISTING = """
CREATE OR REPLACE TABLE listing (key VARCHAR, etag VARCHAR, size BIGINT, why VARCHAR)
"""

_GONE = """
WITH gone AS (
    SELECT etag, size, count(DISTINCT key) AS items
    FROM known ANTI JOIN listing USING (key) GROUP BY etag, size
), moved AS (
    SELECT etag, size, count(*) AS items FROM listing WHERE why = 'moved' GROUP BY etag, size
)
SELECT coalesce(sum(gone.items - least(gone.items, coalesce(moved.items, 0))), 0)::BIGINT
FROM gone LEFT JOIN moved USING (etag, size)
"""
"""How many items are no longer listed; one that was moved is not gone."""


def _why_all(earlier: Job, job: Job) -> str | None:
    """Return why no result of an earlier job stands for what a job would do; None if they may."""
    models = [ModelRef.from_json(one.model) for one in (earlier, job)]
    options = [JobOptions.from_json(one.options) for one in (earlier, job)]
    then, now = (Digests.of(*pair) for pair in zip(models, options, strict=True))
    if then.model != now.model:
        return "model changed"
    if [one.name for one in models[0].members] != [one.name for one in models[1].members]:
        return "model renamed"  # rows name it
    if then.may_change_rows(now):
        return f"options changed: {_changed(options, 'rows', 'limits')}"
    if then.drawing != now.drawing and options[1].drawing.sample is not None:
        return "options changed: annotate"  # a sample is of the items of one job
    return None


def _why_redrawn(earlier: Job, job: Job) -> str | None:
    """Return why pictures are drawn again from the rows that there are; None if they are not."""
    options = [JobOptions.from_json(one.options) for one in (earlier, job)]
    then, now = (one.digests()["drawing"] for one in options)
    if then == now or not options[1].drawing.annotate:
        return None
    return f"options changed: {_changed(options, 'drawing')}"


def _changed(options: Sequence[JobOptions], *groups: str) -> str:
    """Return the names of the options that differ, as they are typed."""
    then, now = options
    return ", ".join(
        each.metadata[OPTION].name if OPTION in each.metadata else each.name
        for group in groups
        for each in fields(getattr(now, group))
        if getattr(getattr(then, group), each.name) != getattr(getattr(now, group), each.name)
    )


def _differ(then: Iterable[EngineOffer], now: Iterable[EngineOffer]) -> bool:
    """Return whether the same engine runs at another revision now; ours are in a table."""
    revisions: dict[str, set[int]] = {}
    for offer in now:
        revisions.setdefault(offer.engine, set()).add(offer.numerics)
    return any(
        offer.engine not in REVISIONS
        and offer.numerics not in revisions.get(offer.engine, {offer.numerics})
        for offer in then
    )
