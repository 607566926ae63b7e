"""`regatta db`: the job database."""

import click

from cli.session import say
from cli.stack.schema import upgrade as upgrade_schema
from config.settings import load_settings


@click.group(epilog="Example: regatta db upgrade")
def db() -> None:
    """Look after the job database."""


@db.command(epilog="Example: REGATTA_DATABASE_URL=postgresql://host/regatta regatta db upgrade")
def upgrade() -> None:
    """Bring the job database's tables to this version; doing it again changes nothing."""
    revision = upgrade_schema(load_settings().database_url)
    say(f"the database is at revision {revision.name}")
