"""What became of a job's items, in a sentence."""

from core.states import ENDED_JOBS, JobState
from report.text import plural
from store.jobs import Tally


def outcome(state: JobState, counts: Tally) -> str:
    """Say what a person wants to know first: how many items of how many succeeded."""
    if not counts.listed:
        return "No items were listed." if state in ENDED_JOBS else "No items are listed yet."
    items = plural(counts.listed, "item")
    if state not in ENDED_JOBS:
        done = counts.listed - counts.pending
        return f"{done:,} of {items} so far {'is' if done == 1 else 'are'} done."
    good = counts.succeeded + counts.skipped
    if good == counts.listed:
        return f"{'The only item' if good == 1 else f'All {items}'} succeeded{_skipped(counts)}."
    rest = [
        f"{count:,} {'is' if count == 1 else 'are'} {name}"
        for name, count in (("quarantined", counts.quarantined), ("cancelled", counts.cancelled))
        if count
    ]
    return f"{good:,} of {items} succeeded{_skipped(counts)}; {', '.join(rest)}."


def _skipped(counts: Tally) -> str:
    return f" ({counts.skipped:,} skipped)" if counts.skipped else ""
