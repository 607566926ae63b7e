"""`regatta completion`: the shell's completion script."""

import click
from click.shell_completion import get_completion_class


@click.command(epilog='Example: eval "$(regatta completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, /, *, shell: str) -> None:
    """Print the completion script for SHELL; evaluate it in the shell's start file."""
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(ctx.find_root().command, {}, "regatta", "_REGATTA_COMPLETE").source())
