"""Numbers of bytes as people read them."""

_STEP = 1000
_UNITS = ("kB", "MB", "GB", "TB", "PB")


def readable_size(size: float) -> str:
    """Return `812 B`, `4.1 MB`, `23 GB`: powers of 1,000, as disks are sold."""
    if size < _STEP:
        return f"{size:.0f} B"
    unit = ""
    for unit in _UNITS:  # noqa: B007 - the last one tried is the one to write
        size /= _STEP
        if size < _STEP:
            break
    return f"{size:.1f} {unit}" if size < 10 else f"{size:,.0f} {unit}"  # noqa: PLR2004
