"""`regatta compact`: make a job's results quick to ask about, and free it of old runs."""

import click

from cli.exit_codes import INTERRUPTED, exit_code
from cli.interrupt import terminate_as_interrupt
from cli.options import job_argument
from cli.session import check_schedulers, job_of, open_database, say, warn_if_nobody_schedules
from cli.work import work
from config.settings import load_settings
from core.kinds import ShardKind
from core.states import ENDED_JOBS
from scheduler.compact import accept, adopt


@click.command(epilog="Example: regatta compact latest; regatta compact 4k2 --no-wait")
@job_argument
@click.option("--no-wait", is_flag=True, help="Only hand it to whoever runs the stack.")
@click.pass_context
def compact(ctx: click.Context, /, *, job: str, no_wait: bool) -> None:
    """Write the results of JOB, which has ended, into flat tables for fast queries.

    What JOB carries over from earlier jobs of which most is superseded is copied, so that these
    can be removed. Large jobs are compacted by themselves (setting `compact_parts`). What is made
    belongs to JOB, lies in its output and goes with it; `regatta retry` discards the tables.
    What is needed (broker, scheduler, worker) is started, as by `regatta run`; with --no-wait, the
    id of the job that does it is printed instead.
    """
    settings = load_settings()
    with terminate_as_interrupt(), open_database(settings) as db:
        check_schedulers(db, settings, ShardKind.COMPACT)
        of = job_of(db, job)
        compaction = accept(db, of)
        if no_wait:
            click.echo(compaction.id)
            if compaction.state not in ENDED_JOBS:
                warn_if_nobody_schedules(db, settings)
            return
        if compaction.state in ENDED_JOBS:
            adopt(db, compaction.id)  # it may have ended a moment ago
            say(f"job {of.id} is compacted already")
            return
        say(f"job {compaction.id} compacts job {of.id}")
        end = work(db, settings, compaction.id)
        if end is None:
            ctx.exit(INTERRUPTED)
        adopt(db, compaction.id)  # perhaps nobody else is up any more
        why = f": {end['error']}" if end["error"] else ""
        say(f"the compaction of job {of.id} ended as {end['state']}{why}")
        ctx.exit(exit_code(end["state"]))
