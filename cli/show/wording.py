"""Numbers and states in words for people."""

from collections.abc import Mapping, Sequence

from core.kinds import NEED_ENGINE
from core.states import RESTING_JOBS, JobState, ShardState
from core.ways import Way
from core.wording import duration, speed
from report.snapshot import Snapshot

WARM_UP_SECONDS = 20.0
"""How long a job may wait before people are told why; a new worker needs a while."""


def tallied(counts: Mapping[str, int]) -> str:
    """Return the counts that are not zero: `3 done, 1 running`."""
    return ", ".join(f"{number:,} {name}" for name, number in counts.items() if number) or "none"


def done_of(snapshot: Snapshot) -> int:
    """Return how many items have a result, or are about to have one; cancelled ones never will."""
    items = snapshot["items"]
    left = items["pending"] + items["cancelled"]
    return int(items["listed"] - left + snapshot["in_progress"])


def progress_line(snapshot: Snapshot) -> str:
    """Return a job's progress as one line."""
    items = snapshot["items"]
    if snapshot["state"] == JobState.PLANNING and not items["listed"]:
        return "planning: nothing is listed yet"
    more = "+" if snapshot["state"] == JobState.PLANNING else ""
    parts = [
        f"{snapshot['state']}: {done_of(snapshot):,}/{items['listed']:,}{more} items",
        speed(snapshot["rate"]),
        f"ETA {duration(snapshot['eta_seconds'])}",
        f"{items['quarantined']:,} quarantined",
        f"shards: {tallied(snapshot['shards'])}",
    ]
    if stages := stages_line(snapshot):
        parts.append(f"work: {stages}")
    return ", ".join(parts)


def stages_line(snapshot: Snapshot) -> str | None:
    """Return how the stages of the pipeline share the work, once that is known."""
    if not snapshot["stages"]:
        return None
    return "  ".join(f"{stage} {share:.0%}" for stage, share in snapshot["stages"].items())


def profile_without_worker(job_id: str, profile: str, offered: Sequence[str]) -> str:
    """Say that no worker offers what a job was frozen to, and how to move it."""
    return (
        f"no live worker offers {profile}, to which this job was frozen (workers offer "
        f"{', '.join(offered)}): `regatta retry {job_id} --reprofile` moves what is "
        "left onto what they offer"
    )


def plain_networks(snapshot: Snapshot) -> list[str]:
    """Return the networks that run the slow way, and why."""
    return [
        f"{one['network']}: {one['why']}" for one in snapshot["networks"] if one["way"] == Way.PLAIN
    ]


def beginning(snapshot: Snapshot) -> str | None:
    """Return what a job that has items but no results yet is waiting for."""
    shards = snapshot["shards"]
    if not snapshot["items"]["listed"] or done_of(snapshot) or snapshot["state"] in RESTING_JOBS:
        return None
    if snapshot["queue_without_consumer"]:
        return "the worker is starting"
    if shards.get(ShardState.RUNNING) and snapshot["kind"] in NEED_ENGINE:
        return "the worker loads the model"
    return None


def waiting_for(snapshot: Snapshot) -> str | None:
    """Return what keeps a job from going on, if nobody can do what comes next."""
    if snapshot["needs_newer"]:
        return f"this job {snapshot['needs_newer']}"
    if snapshot["profile_without_worker"]:
        return profile_without_worker(
            snapshot["id"], snapshot["profile_without_worker"], snapshot["offered_instead"]
        )
    queue = snapshot["queue_without_consumer"]
    if not queue:
        return None
    return f"no live worker serves the queue {queue!r} for this job; the worker's log may say why"
