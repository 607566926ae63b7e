"""Jobs from bucket to bucket, on a server that nobody here wrote, while requests go wrong."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from core.kinds import ShardKind
from core.states import ShardState
from scheduler.redraw import accept, check
from store.locations import open_store, use_s3
from store.s3.client import s3_client
from store.s3.options import S3Options
from tests.acceptance.environment import SHORT_LEASES
from tests.acceptance.fleet import Fleet
from tests.acceptance.outcome import Outcome, outcome
from tests.acceptance.pictures import COUNT
from tests.acceptance.terminal import Terminal
from tests.buckets.faultproxy import Fault, FaultProxy, always, at_first, calm, fault_proxy
from tests.buckets.server import Server
from tests.buckets.swiftserver import swift
from tests.databases import SqliteDatabases

PATIENCE = 20.0
"""Seconds within which a busy machine answers."""


@dataclass(frozen=True, slots=True)
class Harbour:
    """A bucket with the pictures, behind a proxy that may disturb whoever asks for them."""

    proxy: FaultProxy
    options: S3Options
    url: str

    @property
    def settings(self) -> dict[str, str]:
        """What a fleet's processes are told."""
        return {
            "S3_ENDPOINT_URL": self.proxy.url,
            "S3_REGION": "us-east-1",
            "S3_ADDRESSING": "path",
            "S3_READ_TIMEOUT": str(PATIENCE),
        }


@pytest.fixture(scope="session")
def berth(swift_server: Server, pictures: Path) -> Iterator[Harbour]:
    bucket = f"harbour-{uuid4().hex}"
    s3_client(swift_server.options()).create_bucket(Bucket=bucket)
    with fault_proxy(swift_server.url) as proxy:
        options = Server(proxy.url).options(read_timeout=PATIENCE)
        harbour = Harbour(proxy, options, f"s3://{bucket}")
        use_s3(options)
        store = open_store(f"{harbour.url}/pictures")
        for path in pictures.iterdir():
            store.put(path.name, path.read_bytes())
        yield harbour
        use_s3(S3Options())


@pytest.fixture
def harbour(berth: Harbour, fleet: Fleet) -> Iterator[Harbour]:
    """The bucket in calm weather, known to the fleet."""
    use_s3(berth.options)
    fleet.settings |= berth.settings
    yield berth
    berth.proxy.plan = calm
    berth.proxy.seen.clear()


@pytest.fixture(scope="session")
def in_calm_weather(
    berth: Harbour,
    tmp_path_factory: pytest.TempPathFactory,
    sqlite_databases: SqliteDatabases,
    model: Path,
) -> Iterator[Outcome]:
    """What the job over the bucket leaves when nothing goes wrong."""
    fleet = Fleet(tmp_path_factory.mktemp("calm-s3") / "home", sqlite_databases.new)
    fleet.settings |= berth.settings
    fleet.start()
    job = fleet.submit(f"{berth.url}/pictures", model, output=f"{berth.url}/calm")
    yield outcome(fleet, job)
    fleet.close()


def without_source(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what stores say differently of the same bytes."""
    return [{name: value for name, value in row.items() if name != "source"} for row in rows]


def test_a_bucket_gives_what_a_folder_gives(in_calm_weather: Outcome, undisturbed: Outcome) -> None:
    assert in_calm_weather.state == "succeeded"
    assert in_calm_weather.pictures == undisturbed.pictures
    assert without_source(in_calm_weather.rows) == without_source(undisturbed.rows)


@pytest.mark.proof
def test_a_third_of_all_requests_goes_wrong(
    fleet: Fleet, harbour: Harbour, model: Path, in_calm_weather: Outcome
) -> None:
    faults = (
        Fault.SLOW_DOWN,
        Fault.INTERNAL,
        Fault.RESET,
        Fault.CUT,
        Fault.STALL,
        Fault.SILENT,
    )
    job = fleet.submit(f"{harbour.url}/pictures/", model, output=f"{harbour.url}/{fleet.runtime}")
    harbour.proxy.plan = at_first(*faults, share=3)
    # Each silence lasts so long; and what a busy machine answers later than that fails as well.
    fleet.settings |= {"S3_READ_TIMEOUT": "2", "S3_MAX_ATTEMPTS": "8"}
    fleet.start()
    fleet.until_ended(job)
    seen = harbour.proxy.seen.copy()
    harbour.proxy.plan = calm
    assert outcome(fleet, job) == in_calm_weather
    assert len(seen) >= 4
    assert seen.total() >= COUNT // 3


def test_objects_with_something_against_them_harm_only_themselves(
    fleet: Fleet, harbour: Harbour, model: Path, in_calm_weather: Outcome
) -> None:
    against = {
        "01.png": (Fault.DENIED, "access_denied"),
        "08.jpg": (Fault.ARCHIVED, "archived"),
        "20.jpg": (Fault.ODD, "store_refused"),
    }

    def plan(method: str, path: str) -> Fault | None:
        found = [fault for name, (fault, _) in against.items() if f"pictures/{name}" in path]
        return found[0] if found else None

    harbour.proxy.plan = plan
    fleet.start()
    job = fleet.submit(f"{harbour.url}/pictures", model, output=f"{harbour.url}/{fleet.runtime}")
    whole = outcome(fleet, job)
    assert whole.state == "partial"
    assert whole.reasons == {name: reason for name, (_, reason) in against.items()}
    assert "allow s3:GetObject on arn:aws:s3:::" in whole.row("01.png")["reason"]
    assert [row for row in whole.rows if row["item"] not in against] == [
        row for row in in_calm_weather.rows if row["item"] not in against
    ]


def test_credentials_that_expire_cost_no_item_and_no_try(
    fleet: Fleet, harbour: Harbour, model: Path, in_calm_weather: Outcome
) -> None:
    fleet.start(MAX_TRIES="1")
    fleet.close_gate()
    job = fleet.submit(f"{harbour.url}/pictures", model, output=f"{harbour.url}/{fleet.runtime}")
    fleet.until_held()
    harbour.proxy.plan = always(Fault.EXPIRED)
    fleet.open_gate()
    blocked = fleet.until(
        lambda: [shard for shard in fleet.shards(job) if "ExpiredToken" in (shard.error or "")],
        "a shard meets the expired credentials",
    )
    assert "renew the credentials" in (blocked[0].error or "")
    assert not {shard.state for shard in blocked} & {ShardState.DONE, ShardState.FAILED}
    harbour.proxy.plan = calm
    assert outcome(fleet, job) == in_calm_weather


@pytest.mark.proof
def test_a_server_that_is_killed_and_started_again_costs_no_item_and_no_try(
    fleet: Fleet, model: Path, in_calm_weather: Outcome, pictures: Path, tmp_path: Path
) -> None:
    with swift(tmp_path / "swift") as server:
        options = server.options(read_timeout=PATIENCE)
        s3_client(options).create_bucket(Bucket="harbour")
        use_s3(options)
        store = open_store("s3://harbour/pictures")
        for path in pictures.iterdir():
            store.put(path.name, path.read_bytes())
        fleet.settings |= {
            "S3_ENDPOINT_URL": server.url,
            "S3_REGION": "us-east-1",
            "S3_ADDRESSING": "path",
            "S3_READ_TIMEOUT": str(PATIENCE),
            "MAX_TRIES": "2",
        }
        fleet.start()
        fleet.close_gate()
        job = fleet.submit("s3://harbour/pictures", model, output="s3://harbour/out")
        fleet.until_held()
        server.kill()
        fleet.open_gate()
        fleet.until(
            lambda: [shard for shard in fleet.shards(job) if shard.error], "a shard finds nobody"
        )
        time.sleep(15)  # every shard meets it, some of them twice
        server.start()
        ended = outcome(fleet, job)
    assert (ended.state, ended.pictures) == (in_calm_weather.state, in_calm_weather.pictures)
    assert without_source(ended.rows) == without_source(in_calm_weather.rows)


@pytest.mark.proof
def test_a_worker_killed_while_it_redraws_from_a_bucket_is_replaced(
    fleet: Fleet, harbour: Harbour, model: Path, in_calm_weather: Outcome
) -> None:
    fleet.settings |= SHORT_LEASES
    fleet.start(workers=0)
    worker = fleet.start_worker()
    output = f"{harbour.url}/{fleet.runtime}"
    old = fleet.submit(f"{harbour.url}/pictures", model, output=output)
    assert outcome(fleet, old) == in_calm_weather

    harbour.proxy.plan = always(Fault.SILENT, on="pictures/10.jpg", method="GET")
    again = accept(fleet.db, check(fleet.db, fleet.job(old), {"output": f"{output}-again"}), "").id
    fleet.until(lambda: harbour.proxy.seen[Fault.SILENT], "a worker is in the middle of a shard")
    held = {shard.id for shard in fleet.shards(again, ShardState.RUNNING)}
    assert held
    fleet.kill(worker)
    harbour.proxy.plan = calm
    fleet.start_worker()
    assert outcome(fleet, again) == in_calm_weather
    shards = fleet.shards(again)
    assert {shard.kind for shard in shards} == {ShardKind.RENDER}
    assert {shard.id for shard in shards if shard.tries == 2} == held


@pytest.mark.proof
def test_every_command_works_on_buckets(
    fleet: Fleet, harbour: Harbour, model: Path, in_calm_weather: Outcome
) -> None:
    harbour.proxy.plan = always(Fault.DENIED, on="pictures/02.jpg")
    output = f"{harbour.url}/{fleet.runtime}"
    terminal = Terminal(fleet)
    try:
        shape = ("--model", model, "--shard-items", "6", "--batch-size", "4")
        ended = terminal.run("run", f"{harbour.url}/pictures/*.jpg", *shape, "--output", output)
        assert ended.code == 3, ended.err
        assert "02.jpg: access_denied" in ended.out
        assert f"{output}/results/" in ended.out
        listed = terminal.run("quarantine", "list", "latest", "--format", "ndjson").objects
        assert [row["item"] for row in listed] == ["02.jpg"]

        harbour.proxy.plan = calm
        job = terminal.run("status", "latest", "--format", "json").object["id"]
        assert terminal.run("retry", job).code == 0
        assert terminal.run("run", "--resume", job).code == 0
        rows = terminal.run("results", job, "--format", "ndjson").objects
        wanted = [row for row in in_calm_weather.rows if row["item"].endswith(".jpg")]
        assert [row["item"] for row in rows] == [row["item"] for row in wanted]
        assert {row["state"] for row in rows} == {"succeeded"}
        assert terminal.run("results", output, "--format", "ndjson").objects == rows

        page = terminal.run("report", job)
        assert page.code == 0, page.err
        assert page.out.strip() == f"{output}/report.html"
        assert b"02.jpg" in open_store(output).get("report.html")
    finally:
        terminal.close()
    assert set(outcome(fleet, job).pictures) <= set(in_calm_weather.pictures)
