"""Failures of devices, as processes count them together."""

from concurrent.futures import ThreadPoolExecutor

from store import devices
from store.devices import MOST_FAILURES, Device
from tests.bench import Bench

DEVICE = Device("h", "cpu")


def test_processes_of_one_device_that_fail_at_once_are_all_counted(bench: Bench) -> None:
    def fail(number: int) -> int:
        row = bench.db.write(
            lambda s: devices.note_failure(s, DEVICE, "e", f"{number}", has_run=True, now=1.0)
        )
        return row.failures

    with ThreadPoolExecutor(MOST_FAILURES) as processes:
        counts = list(processes.map(fail, range(MOST_FAILURES)))
    assert sorted(counts) == list(range(1, MOST_FAILURES + 1))
    [row] = bench.db.read(lambda s: devices.failing(s, DEVICE))
    assert (row.failures, row.left_out_at) == (MOST_FAILURES, 1.0)
