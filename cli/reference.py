"""Prints docs/cli.md: `python -m cli.reference > docs/cli.md`."""

import sys
from collections.abc import Iterator
from typing import Any

import click

from cli.main import cli

_WIDTH = 100

_INTRODUCTION = """\
# Commands

Each section is what `--help` prints. Data goes to stdout, everything else to stderr: results can be
piped while progress stays on the terminal. A JOB is a job's id or the start of it, its name
(the newest job of that name), or `latest`.

| exit code | meaning |
| --- | --- |
| 0 | everything succeeded |
| 1 | failed, there was nothing to do, or what is needed is away or full |
| 2 | the request cannot be carried out as it stands; no work was started |
| 3 | partial: the job has ended, and some items are quarantined |
| 4 | cancelled |
| 130 | interrupted |

Codes 0, 1, 3 and 4 are about the job for commands that wait for one: `run` and `redraw`, and
`submit` and `status` with `--watch`.
"""


def cli_reference() -> str:
    """Return the help of every command as a Markdown page, from the commands themselves."""
    sections = [
        f"\n## {context.command_path}\n\n```text\n{context.get_help()}\n```\n"
        for context in contexts(cli, "regatta", None)
    ]
    return _INTRODUCTION + "".join(sections)


def contexts(
    command: click.Command, name: str, parent: click.Context | None
) -> Iterator[click.Context]:
    """Yield the context of a command and of all below it, in the order of the overview."""
    width = {"terminal_width": _WIDTH, "max_content_width": _WIDTH}
    settings: dict[str, Any] = {**command.context_settings, **width}
    context = click.Context(command, parent=parent, info_name=name, **settings)
    yield context
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from contexts(found, below, context)


if __name__ == "__main__":
    sys.stdout.write(cli_reference())
