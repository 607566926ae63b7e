"""Numbers and states in words for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.kinds import NEED_ENGINE, ShardKind
from core.states import RESTING_JOBS, JobState, ShardState
from core.times import to_the_second
from core.ways import Way
from core.wording import count, duration, speed
from report.snapshot import Snapshot

WARM_UP_SECONDS = 20.0
"""How long a job may wait before people are told why; a new worker needs a while."""


def tallied(counts: Mapping[str, int]) -> str:
    """Return the counts that are not zero: `3 done, 1 running`."""
    return ", ".join(f"{number:,} {name}" for name, number in counts.items() if number) or "none"


def dismissed_of(snapshot: Snapshot) -> str | None:
    """Say how many of the quarantined items were dismissed, if any."""
    number, of = snapshot["dismissed"], snapshot["items"]["quarantined"]
    if not number:
        return None
    return f"all {of:,} quarantined items" if number == of else f"{number:,} of {of:,} quarantined"


def done_of(snapshot: Snapshot) -> int:
    """Return how many items have a result, or are about to have one; cancelled ones never will."""
    items = snapshot["items"]
    left = items["pending"] + items["cancelled"]
    return int(items["listed"] - left + snapshot["in_progress"])


def progress_line(snapshot: Snapshot) -> str:
    """Return a job's progress as one line."""
    items = snapshot["items"]
    if snapshot.get("kind") == ShardKind.COMPACT:
        return f"{snapshot['state']}, shards: {tallied(snapshot['shards'])}"
    if snapshot["state"] == JobState.PLANNING and not items["listed"]:
        return "planning: nothing is listed yet"
    carried = items.get("carried")
    if carried and not items["listed"] and snapshot["listing_ended"]:
        return f"{snapshot['state']}: nothing is new, {carried:,} carried over"
    more = "+" if snapshot["state"] == JobState.PLANNING else ""
    parts = [
        f"{snapshot['state']}: {done_of(snapshot):,}/{items['listed']:,}{more} items",
        speed(snapshot["rate"]),
        eta(snapshot),
        f"{items['quarantined']:,} quarantined",
        *([f"{carried:,} carried over"] if carried else []),
        f"shards: {tallied(snapshot['shards'])}",
    ]
    if stages := stages_line(snapshot):
        parts.append(f"work: {stages}")
    return ", ".join(parts)


def eta(snapshot: Snapshot) -> str:
    """Return when a job should be done, and between which times, once that is known."""
    said = f"ETA {duration(snapshot['eta_seconds'])}"
    between = eta_between(snapshot)
    return f"{said} ({between})" if between else said


def eta_between(snapshot: Snapshot) -> str | None:
    """Return between which times a job should be done, once enough shards have ended to tell."""
    if not (between := snapshot.get("eta_between")):
        return None
    low, high = map(duration, between)
    return f"{low} to {high}" if low != high else None


def stages_line(snapshot: Snapshot) -> str | None:
    """Return how the stages of the pipeline share the work and how fast a thread of each is."""
    if not snapshot["stages"]:
        return None
    rates = snapshot.get("stage_rates", {})
    return "  ".join(
        f"{stage} {share:.0%}" + (f" ({speed(rates[stage])})" if stage in rates else "")
        for stage, share in snapshot["stages"].items()
    )


def queue_line(queue: Mapping[str, Any]) -> str:
    """Return what a queue holds: `detect: 12 waiting, 2 running, 1 worker`."""
    shards = {name: queue[name] for name in ("waiting", "queued", "running")}
    return f"{queue['queue']}: {tallied(shards)}, {count(queue['workers'], 'worker')}"


def worker_line(worker: Mapping[str, Any]) -> str:
    """Return what a worker does: `host:123 cpu-avx512: 2 of 2 slots, 12.3/s`."""
    device = f" {worker['device']}" if worker["device"] else ""
    said = f"{worker['worker']}{device}: {worker['shards']} of {count(worker['slots'], 'slot')}"
    if worker["rate"] is not None:
        said += f", {speed(worker['rate'])}"
    return said + (", draining" if worker["draining"] else "")


def compacted(snapshot: Snapshot) -> str | None:
    """Say which job compacts the results of this one, or has done so, and how far that is."""
    said = snapshot.get("compaction")
    return None if said is None else f"by job {said['job']}, {said['state']}"


def profile_without_worker(job_id: str, profile: str, offered: Sequence[str]) -> str:
    """Say that no worker offers what a job was frozen to, and how to move it."""
    return (
        f"no live worker offers {profile}, to which this job was frozen (workers offer "
        f"{', '.join(offered)}): `regatta retry {job_id} --reprofile` moves what is "
        "left onto what they offer"
    )


def device_left_out(device: Mapping[str, Any]) -> str:
    """Say why a device of a machine runs nothing any more, and how to bring it back."""
    return (
        f"{device['device']} of {device['host']} is left out since {device['since']}: "
        f"{device['engine']} failed {device['failures']} times in a row, even on what it had run "
        f"before ({device['error']}); once it is repaired, start `regatta` (up, run or worker) "
        "there anew"
    )


def plain_networks(snapshot: Snapshot) -> list[str]:
    """Return the networks that run the slow way, and why."""
    return [
        f"{one['network']}: {one['why']}" for one in snapshot["networks"] if one["way"] == Way.PLAIN
    ]


def beginning(snapshot: Snapshot) -> str | None:
    """Return what a job that has items but no results yet is waiting for."""
    shards = snapshot["shards"]
    if snapshot["left_out"] and snapshot["queue_without_consumer"]:
        return waiting_for(snapshot)
    if not snapshot["items"]["listed"] or done_of(snapshot) or snapshot["state"] in RESTING_JOBS:
        return None
    if snapshot["queue_without_consumer"]:
        return "the worker is starting"
    if shards.get(ShardState.RUNNING) and snapshot["kind"] in NEED_ENGINE:
        return "the worker loads the model"
    return None


def waiting_for(snapshot: Snapshot) -> str | None:
    """Return what keeps a job from going on, if anything does."""
    if snapshot["needs_newer"]:
        return f"this job {snapshot['needs_newer']}"
    if snapshot["profile_without_worker"]:
        said = profile_without_worker(
            snapshot["id"], snapshot["profile_without_worker"], snapshot["offered_instead"]
        )
        return "; ".join([said, *map(device_left_out, snapshot["left_out"])])
    queue = snapshot["queue_without_consumer"]
    if snapshot["trouble"]:
        return str(snapshot["trouble"])
    if not queue:
        return None
    if snapshot["left_out"]:
        out = "; ".join(map(device_left_out, snapshot["left_out"]))
        return f"no worker is left for this job: {out}"
    return f"no live worker serves the queue {queue!r} for this job; the worker's log may say why"


def told(notification: Mapping[str, Any]) -> str:
    """Say whether somebody was told of a job's end, and why not."""
    words = f"{notification['receiver']} {notification['state']} ({notification['event']})"
    if notification["error"]:
        words += f": {notification['error']}"
    if notification["next_try"] and notification["tries"]:
        words += f"; try {notification['tries'] + 1} at {to_the_second(notification['next_try'])}"
    return words
