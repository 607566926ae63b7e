from typing import Any

import pytest

from report.throughput import BINS, throughput
from store.tables import Shard


def shard(begin: float | None, end: float | None, items: int, **timings: Any) -> Shard:
    return Shard(
        started_at=begin,
        finished_at=end,
        succeeded=items,
        skipped=0,
        quarantined=0,
        timings=timings,
    )


def test_items_are_spread_evenly_over_the_run() -> None:
    speed = throughput([shard(100, 148, 96)])
    assert speed is not None
    assert (speed.begin, speed.seconds) == (100, 48)
    assert speed.rates == pytest.approx([2.0] * BINS)


def test_shards_add_up_and_gaps_show() -> None:
    speed = throughput([shard(0, 12, 24), shard(0, 12, 12), shard(36, 48, 12), shard(5, None, 9)])
    assert speed is not None
    assert speed.rates[:12] == pytest.approx([3.0] * 12)
    assert speed.rates[12:36] == pytest.approx([0.0] * 24)
    assert speed.rates[36:] == pytest.approx([1.0] * 12)


def test_no_item_is_lost_where_runs_and_slices_do_not_meet() -> None:
    speed = throughput([shard(0.3, 7.7, 10), shard(3.1, 90.2, 31), shard(90.1, 90.2, 5)])
    assert speed is not None
    assert sum(speed.rates) * speed.seconds / BINS == pytest.approx(46)


def test_before_the_first_shard_has_ended_there_is_no_speed() -> None:
    assert throughput([]) is None
    assert throughput([shard(1, None, 0), shard(None, None, 0)]) is None
