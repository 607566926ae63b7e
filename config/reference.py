"""Prints docs/settings.md: `python -m config.reference > docs/settings.md`."""

import sys
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from config.settings import Settings

_INTRODUCTION = """\
# Settings

Each setting is looked up in this order; the first place that has it wins:

1. the command's flags;
2. the environment, as `REGATTA_` and the name in upper case;
3. the settings file: `regatta.toml` in the current directory, else in `home`;
   `REGATTA_CONFIG` names another one;
4. the default.

Relative paths in the settings file start at the file's directory. A name that is not listed here
is an error.

```toml
lease_seconds = 60
objects = "results"
log_format = "json"
```

| setting | environment | default | meaning |
| --- | --- | --- | --- |
"""

_COMPUTED = {
    "home": "`$XDG_DATA_HOME/regatta`, else `~/.local/share/regatta`",
    "database_url": "`sqlite:///<home>/regatta.db`",
    "objects": "`<home>/outputs`",
    "models_directory": "`<home>/models`",
    "notify_commands": "`True` with SQLite",
}


def settings_reference() -> str:
    """Return the settings as a Markdown page, from the same fields that are validated."""
    rows = [
        f"| `{name}` | `REGATTA_{name.upper()}` | {_default(name, field)} | {_meaning(field)} |\n"
        for name, field in Settings.model_fields.items()
    ]
    return _INTRODUCTION + "".join(rows)


def _default(name: str, field: FieldInfo) -> str:
    if name in _COMPUTED:
        return _COMPUTED[name]
    return "" if field.default is None else f"`{field.default}`"


def _meaning(field: FieldInfo) -> str:
    if get_origin(field.annotation) is not Literal:
        return str(field.description)
    choices = ", ".join(f"`{choice}`" for choice in get_args(field.annotation))
    return f"{field.description} One of {choices}."


if __name__ == "__main__":
    sys.stdout.write(settings_reference())
