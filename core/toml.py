"""Parses TOML that somebody else may have written."""

import tomllib
from typing import Any

LARGEST_BYTES = 1 << 20
"""Nobody writes more by hand."""


def parse_toml(data: bytes) -> dict[str, Any]:
    """Return the values in a TOML file's content.

    Raises:
        ValueError: it is not TOML in UTF-8, is too large, or is nested too deeply.
    """
    if len(data) > LARGEST_BYTES:
        raise ValueError(f"it is too large: it has more than {LARGEST_BYTES:,} bytes")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
