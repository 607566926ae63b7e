"""Job files: a job as TOML, to keep, to share and to run again.

```toml
source = "photos/"           # paths start at the file's folder; a list of several
model = "picodet"            # a registered name; with a slash, a path; a list of several
threshold = 0.4
min-size = "10kB"
annotate = false
```

Every key except `source` is the long name of an option of `regatta run`. A table `[schedule]` says
when `regatta schedule add` runs it again; its keys are the long names of that command's options.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import UsageError
from core.near import did_you_mean
from core.option import Kind, Option
from core.options import ModelRef
from core.request import OPTIONS, Said
from core.sample import Sample
from core.toml import parse_toml
from core.values import read_value

SUFFIX = ".toml"
SOURCE = "source"
SCHEDULE = "schedule"
_PLACES = frozenset({Kind.PLACE, Kind.MODEL})


def parse_job(text: str, folder: Path) -> dict[str, Any]:
    """Return what a job file in `folder` says: options by their Python names, and `source`s.

    `schedule` is a table as it was read.

    Raises:
        UsageError: it is not TOML, a key is unknown, or its option does not take the value.
    """
    try:
        values = parse_toml(text.encode())
    except ValueError as error:
        raise UsageError(f"it is not TOML: {error}") from error
    said: dict[str, Any] = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name == SCHEDULE and isinstance(value, dict):
            said[SCHEDULE] = value
            continue
        if name != SOURCE and name not in OPTIONS:
            raise _unknown(key)
        try:
            if name == SOURCE:
                said[name] = located(_SOURCE, read_value(_SOURCE, value), folder)
                continue
            read = read_value(OPTIONS[name], value)
        except ValueError as error:
            raise UsageError(f"{key}: {error}") from error
        said[name] = located(OPTIONS[name], read, folder)
    return said


def located(each: Option, value: Any, folder: Path) -> Any:
    """Return an option's value with its paths made absolute; they start at `folder`.

    Trailing slashes and globs are kept. Models without a slash are names.
    """
    if isinstance(value, tuple):
        return tuple(located(each, one, folder) for one in value)
    if each.kind not in _PLACES or not isinstance(value, str):
        return value
    is_name = each.kind is Kind.MODEL and "/" not in value
    if is_name or "://" in value or value.startswith(("/", "~")):
        return value
    return f"{folder}/{value.removeprefix('./')}"


def render_job(sources: Sequence[str], said: Said) -> str:
    """Return a job file that says the same; its paths should be absolute.

    Raises:
        UsageError: a value cannot be written in TOML.
    """
    quoted = [_quoted(source) for source in sources]
    lines = [f"source = {quoted[0] if len(quoted) == 1 else '[' + ', '.join(quoted) + ']'}"]
    for name, each in OPTIONS.items():
        if name in said:
            lines.append(f"{each.name} = {_rendered(each, said[name])}")
    return "\n".join(lines) + "\n"


_SOURCE = Option(SOURCE, "", kind=Kind.PLACE, is_repeated=True)


def _unknown(key: str) -> UsageError:
    names = [SOURCE, *(each.name for each in OPTIONS.values())]
    return UsageError(
        f"{key!r} is not an option of a job",
        hint=did_you_mean(key.replace("_", "-"), names) or f"there are {', '.join(names)}",
    )


def _rendered(each: Option, value: Any) -> str:
    if isinstance(value, tuple) and each.is_repeated:
        return f"[{', '.join(_rendered(each, one) for one in value)}]"
    if each.kind is Kind.TILE:
        width, height = value
        return _quoted(f"{width}x{height}")
    if each.kind is Kind.COLOUR:
        return _quoted("#" + bytes(value).hex())
    if each.kind is Kind.SINCE and not isinstance(value, str):
        return datetime.fromtimestamp(value, UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, ModelRef):
        raise UsageError(
            f"the model {value.name!r} has no name that a job file could use",
            hint="register it (`regatta models add`), or name one with --model",
        )
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(str(value)) if isinstance(value, str | Sample) else repr(value)


def _quoted(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{text!a} cannot be written in a job file: it is not UTF-8") from None
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
