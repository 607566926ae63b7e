from typing import Any

import pytest

from core.states import JobState
from report.page import outcome
from store.jobs import Tally


def tally(listed: int, **counts: int) -> Tally:
    left = listed - sum(counts.values())
    defaults: dict[str, Any] = dict.fromkeys(
        ("succeeded", "skipped", "quarantined", "cancelled"), 0
    )
    return Tally(**(defaults | counts), listed=listed, pending=left, in_progress=0, shards={})


@pytest.mark.parametrize(
    ("state", "counts", "words"),
    [
        (JobState.SUCCEEDED, tally(0), "No items were listed."),
        (JobState.PLANNING, tally(0), "No items are listed yet."),
        (JobState.SUCCEEDED, tally(1, succeeded=1), "The only item succeeded."),
        (JobState.SUCCEEDED, tally(1200, succeeded=1200), "All 1,200 items succeeded."),
        (
            JobState.SUCCEEDED,
            tally(5, succeeded=3, skipped=2),
            "All 5 items succeeded (2 skipped).",
        ),
        (
            JobState.PARTIAL,
            tally(9, succeeded=8, quarantined=1),
            "8 of 9 items succeeded; 1 is quarantined.",
        ),
        (
            JobState.CANCELLED,
            tally(9, succeeded=2, quarantined=1, cancelled=6),
            "2 of 9 items succeeded; 1 is quarantined, 6 are cancelled.",
        ),
        (JobState.RUNNING, tally(9, succeeded=1), "1 of 9 items so far is done."),
        (
            JobState.CANCELLING,
            tally(1200, succeeded=80, cancelled=1000),
            "80 of 1,200 items so far are done.",
        ),
    ],
)
def test_the_outcome_in_a_sentence(state: JobState, counts: Tally, words: str) -> None:
    assert outcome(state, counts) == words


def test_a_job_that_found_nothing_new_says_so() -> None:
    said = outcome(JobState.SUCCEEDED, tally(0), carried=1200)
    assert said == "Nothing was new: 1,200 results carried over from earlier jobs."
    assert outcome(JobState.SUCCEEDED, tally(1, succeeded=1), carried=2) == (
        "The only item succeeded."
    )


def test_a_listing_that_was_cut_short_is_no_whole() -> None:
    words = outcome(JobState.CANCELLED, tally(240, succeeded=240), listing_ended=False)
    assert words == "All 240 items succeeded. The source was not listed to its end."
