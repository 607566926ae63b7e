"""`regatta redraw`: draw a job's pictures again, from its results."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import click

from cli.dryrun import print_plan
from cli.exit_codes import INTERRUPTED, exit_code
from cli.interrupt import terminate_as_interrupt
from cli.options import click_option, format_option, job_argument
from cli.request import check_commands, typed
from cli.session import (
    check_schedulers,
    job_of,
    open_database,
    say,
    warn_if_nobody_schedules,
)
from cli.show.output import chosen
from cli.show.summary import print_summary
from cli.work import work
from config.settings import load_settings
from core import notices
from core.kinds import ShardKind
from scheduler.redraw import ABOUT, DRAWING, Redrawing, accept, check
from store.jobs import source_texts

F = TypeVar("F", bound=Callable[..., Any])


def _redraw_options(command: F) -> F:
    for each in reversed((*ABOUT, *DRAWING)):
        own = each
        if each.key not in notices.OPTIONS:
            otherwise = "in the home" if each.key == "output" else "as in JOB"
            own = replace(each, default=None, otherwise=otherwise)
        command = click_option(own)(command)
    return command


@click.command(
    epilog="Example: regatta redraw latest --alpha 0.2; "
    "regatta redraw 4k2 --background white --jpeg-quality 95 --output white/; "
    "regatta redraw 4k2 --annotate sample:200 --redact face --no-scores --picture-format png"
)
@job_argument
@_redraw_options
@click.option("--no-wait", is_flag=True, help="Only hand it to whoever runs the stack.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@format_option
@click.pass_context
def redraw(
    ctx: click.Context, /, *, job: str, no_wait: bool, dry_run: bool, form: str | None, **_: Any
) -> None:
    """Draw the pictures of JOB, which has ended, again from its results.

    No model runs. What is not said is as in JOB; limits and rows stay as they were. It becomes a
    job of its own, whose output has rows, masks and pictures, and needs nothing of the old one.
    A picture that has changed since JOB saw it is quarantined.
    What is needed (broker, scheduler, worker) is started, as by `regatta run`; with --no-wait, the
    new job's id is printed instead.
    """
    settings = load_settings()
    with terminate_as_interrupt(), open_database(settings) as db:
        said = typed(ctx)
        check_commands(said, settings)
        redrawing = check(db, job_of(db, job), said)
        if dry_run:
            print_plan(_plan(redrawing), chosen(form))
            return
        check_schedulers(db, settings, ShardKind.RENDER)
        job_id = accept(db, redrawing, settings.objects).id
        if no_wait:
            click.echo(job_id)
            warn_if_nobody_schedules(db, settings)
            return
        say(f"job {job_id}")
        end = work(db, settings, job_id)
        if end is None:
            ctx.exit(INTERRUPTED)
        print_summary(db, end, form)
        ctx.exit(exit_code(end["state"]))


def _plan(redrawing: Redrawing) -> dict[str, Any]:
    old = redrawing.old
    return {
        "job": old.id,
        "name": redrawing.said.get("name") or old.name,
        "source": source_texts(old),
        "effective": redrawing.effective,
        "items": redrawing.items,
        "shards": redrawing.parts,
    }
