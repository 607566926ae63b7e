"""A real Chromium, and pages that `regatta report` made, looked at without any network."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.bench import Bench
from tests.browser.jobs import fill
from tests.databases import SqliteDatabases

WIDTHS = (390, 900, 1600)
SCHEMES = ("light", "dark")
EVALUATED = ("sailed", "odd")
JOBS = ("sailed", "hostile", "bare", "running", "new", "nothing", "several")

expect.set_options(timeout=30_000)  # milliseconds: a busy machine may take its time

_FLAGS = (
    "--no-sandbox",  # root has no other choice, and the only pages are ours
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Visit:
    """A page that is open, and everything that went wrong since."""

    page: Page
    problems: list[str] = field(default_factory=list)


Visitor = Callable[..., Visit]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium with a profile of its own, which is gone afterwards."""
    wanted = os.environ.get("CHROMIUM", "chromium")
    path = shutil.which(wanted)
    if path is None:
        pytest.fail(f"no {wanted} on the PATH: `make test-browser` says how to get it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def reports(
    tmp_path_factory: pytest.TempPathFactory, sqlite_databases: SqliteDatabases
) -> dict[str, Path]:
    """The report of each of `JOBS`, as the command wrote it."""
    home = tmp_path_factory.mktemp("home")
    bench = Bench(sqlite_databases.new(home), home)
    fill(bench)
    bench.db.close()
    pages = {job: _written(home, "report", job) for job in JOBS}
    for job in EVALUATED:  # against themselves, with a higher threshold
        words = ("eval", job, "--truth", job, "--truth-score", "0", "--min-score", "0.7")
        _written(home, *words, "--name", "page", "--output", str(home / job))
        pages[f"evaluated {job}"] = home / job / "page.html"
    return pages


def _written(home: Path, *words: str) -> Path:
    done = subprocess.run(
        [Path(sys.executable).parent / "regatta", *words],
        env={**os.environ, "REGATTA_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(unquote(urlsplit(done.stdout.strip()).path))


@pytest.fixture
def visit(browser: Browser, reports: dict[str, Path]) -> Iterator[Visitor]:
    """Opens the report of a job; at the end of the test, nothing may have gone wrong with it.

    Wrong is whatever the console says, and every request but that for the page itself.
    """
    visits: list[Visit] = []

    def open_report(job: str, width: int = 900, scheme: str = "light", **options: Any) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme=scheme, **options
        )
        seen = Visit(context.new_page())
        visits.append(seen)
        url = reports[job].as_uri()

        def handle(route: Any) -> None:
            if route.request.url == url:
                route.continue_()
            else:
                seen.problems.append(f"asked for {route.request.url}")
                route.abort()

        seen.page.route("**/*", handle)
        seen.page.on("console", lambda message: seen.problems.append(message.text))
        seen.page.on("pageerror", lambda error: seen.problems.append(str(error)))
        seen.page.on("dialog", lambda dialog: seen.problems.append(dialog.message))
        seen.page.goto(url)
        return seen

    yield open_report
    for seen in visits:
        seen.page.context.close()
    assert [problem for seen in visits for problem in seen.problems] == []
