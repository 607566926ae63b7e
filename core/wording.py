"""Numbers in words for people, the same on terminals and on pages."""

_MINUTE, _HOUR = 60, 3600
_TENTHS_BELOW = 10  # seconds; and from so many a second on, tenths are enough


def count(number: int, noun: str) -> str:
    """Return `1 item`, `2,000 items`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float | None) -> str:
    """Return `7.2s`, `42s`, `3m 05s`, `2h 07m`, or a dash for None."""
    if seconds is None:
        return "-"
    if seconds < _TENTHS_BELOW:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m {whole % _MINUTE:02d}s"
    return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE:02d}m"


def speed(rate: float | None) -> str:
    """Return items a second: `12.3/s`, `0.182/s`, or a dash for None."""
    if rate is None:
        return "-"
    return f"{rate:,.1f}/s" if rate >= _TENTHS_BELOW else f"{rate:.3g}/s"


def percent(share: float) -> str:
    """Return a share, 0 to 1, in percent: what occurs is never 0%."""
    text = f"{share:.0%}"
    return "<1%" if share and text == "0%" else text
