"""Compares this machine's clock with a server's."""

from cli.doctor.finding import Finding, Status

_NOTICEABLE_SECONDS, _HARMFUL_SECONDS = 1.0, 5.0


def clock_finding(server: str, there: float, before: float, after: float) -> Finding:
    """Return what is to be said of a server's time `there`, asked for between two of our own.

    The time that the question took is nobody's skew.
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
