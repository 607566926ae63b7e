"""Checks that clocks agree, and that the settings that are times fit together."""

from collections.abc import Iterator

from cli.doctor.finding import Finding, Status
from config.settings import Settings

_NOTICEABLE_SECONDS, _HARMFUL_SECONDS = 1.0, 5.0


def clock_finding(server: str, there: float, before: float, after: float) -> Finding:
    """Return a finding on a server's time `there`, asked for between two times of our own.

    The time that the question took does not count as skew.
    """
    skew = there - after if there > after else min(0.0, there - before)
    name = f"clock ({server.removeprefix('the ')})"
    if abs(skew) < _NOTICEABLE_SECONDS:
        return Finding(name, Status.OK, f"this machine and {server} agree on the time")
    status = Status.FAILED if abs(skew) >= _HARMFUL_SECONDS else Status.WARNING
    word = "ahead of" if skew > 0 else "behind"
    return Finding(
        name,
        status,
        f"{server} is {abs(skew):.1f} s {word} this machine",
        "keep the clocks of all machines in step, with chrony or systemd-timesyncd",
    )


def check_timing(settings: Settings) -> Iterator[Finding]:
    """Yield what does not fit; the settings themselves see that leases outlast lost heartbeats."""
    visibility, republish = settings.visibility_seconds, settings.republish_seconds
    lease, stall, hang = settings.lease_seconds, settings.stall_seconds, settings.hang_seconds
    found = list[Finding]()
    if visibility < 2 * republish:
        found.append(
            Finding(
                "visibility",
                Status.FAILED,
                f"visibility_seconds ({visibility:g}) is less than twice republish_seconds "
                f"({republish:g}): the broker delivers again what is merely waiting",
                f"set REGATTA_VISIBILITY_SECONDS to {2 * republish:g} or more",
            )
        )
    if stall < lease:
        found.append(
            Finding(
                "stall",
                Status.WARNING,
                f"stall_seconds ({stall:g}) is less than lease_seconds ({lease:g}): one slow "
                "batch ends a worker",
                f"set REGATTA_STALL_SECONDS to {lease:g} or more",
            )
        )
    if hang < lease:
        found.append(
            Finding(
                "hang",
                Status.WARNING,
                f"hang_seconds ({hang:g}) is less than lease_seconds ({lease:g}): a busy machine "
                "gets workers killed",
                f"set REGATTA_HANG_SECONDS to {lease:g} or more",
            )
        )
    if not found:
        words = f"lease {lease:g} s, stall {stall:g} s, visibility {visibility:g} s"
        found.append(Finding("timing", Status.OK, words))
    yield from found
