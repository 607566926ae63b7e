"""docker-compose.yml: what it promises, and that its commands run with its environment.

There need be no Docker: the services' own commands run as processes of this machine. The places
that only containers have are replaced in `local`, and nothing else is.
"""

import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from botocore.exceptions import ClientError

from cli.stack.broker import server_binary
from store.s3.client import s3_client
from tests.acceptance.compose import ROOT, UnsetError, read_compose, read_example
from tests.acceptance.environment import environment
from tests.acceptance.fleet import DEADLINE, Fleet
from tests.acceptance.pictures import COUNT
from tests.buckets.server import ACCESS_KEY, SECRET_KEY, Server
from tests.databases import PostgresDatabases

SECRETS = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "OBJECTS_ACCESS_KEY", "OBJECTS_SECRET_KEY")
FILLED = read_example() | {name: secrets.token_hex(24) for name in SECRETS}
OURS = ("migrate", "scheduler", "worker", "worker-gpu")

Service = dict[str, Any]


def services() -> dict[str, Service]:
    found = read_compose(FILLED)["services"]
    assert isinstance(found, dict)
    return found


def seconds(duration: str) -> float:
    assert duration.endswith("s")
    return float(duration.removesuffix("s"))


# What the file promises


@pytest.mark.parametrize("missing", SECRETS)
def test_it_does_not_start_without_passwords(missing: str) -> None:
    assert read_example()[missing] == ""
    with pytest.raises(UnsetError, match=f"{missing}: set it in .env"):
        read_compose(FILLED | {missing: ""})


@pytest.mark.parametrize("name", services())
def test_every_service_is_confined(name: str) -> None:
    service = services()[name]
    assert service["user"] not in {"root", "0"}
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:")
        assert name == "objects"  # which wants its keys


@pytest.mark.parametrize("name", services())
def test_every_service_is_watched_and_started_again(name: str) -> None:
    service = services()[name]
    if name == "migrate":
        assert service["restart"] == "no"
        return
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"]
    assert seconds(service["stop_grace_period"]) >= 30


def test_images_are_pinned() -> None:
    from_lines = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    images = [service["image"] for service in services().values()]
    for image in [*images, *(line for line in from_lines if "$" not in line)]:
        tag = image.rpartition(":")[2]
        assert ":" in image
        assert tag != "latest"
        assert re.search(r"\d", tag)


def test_the_image_is_not_root_s_and_installs_what_is_locked() -> None:
    text = (ROOT / "Dockerfile").read_text()
    stages = re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    assert [re.search(r" AS (\w+)", stage)[1] for stage in stages] == [  # type: ignore[index]
        "objects",
        "build",
        "runtime",
    ]
    assert "pip install" in stages[1]
    assert "--require-hashes" in stages[1]
    for final in (stages[0], stages[2]):
        assert "\nUSER 10001\n" in final
        assert "\nHEALTHCHECK " in final
    assert "ARG BASE=python:3.11-slim-bookworm" in text


def test_the_base_s_paddle_replaces_the_lock_s(tmp_path: Path) -> None:
    [program] = re.findall(r"awk -v paddle=\S+ '([^']+)'", (ROOT / "Dockerfile").read_text())

    def chosen(paddle: str) -> str:
        words = ["awk", "-v", f"paddle={paddle}", program, str(ROOT / "requirements.lock")]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    lock = (ROOT / "requirements.lock").read_text()
    assert chosen("lock") == lock
    [block] = re.findall(r"^paddlepaddle==(?:.*\n)(?:[ ].*\n)*", lock, re.MULTILINE)
    assert chosen("base") == lock.replace(block, "")


def test_gpus_are_asked_for_by_the_profile_alone() -> None:
    found = services()
    assert [name for name, each in found.items() if each.get("profiles")] == ["worker-gpu"]
    gpu = found["worker-gpu"]
    assert gpu["profiles"] == ["gpu"]
    [devices] = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert devices == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    assert "gpu" in gpu["build"]["args"]["BASE"]


@pytest.mark.parametrize("name", OURS)
def test_a_drain_fits_into_the_grace_period(name: str) -> None:
    service = services()[name]
    drain = float(service["environment"]["REGATTA_DRAIN_SECONDS"])
    assert seconds(service["stop_grace_period"]) >= drain + 15
    assert service.get("init") is True


def test_nothing_of_ours_starts_before_the_migration() -> None:
    found = services()
    assert found["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("scheduler", "worker", "worker-gpu"):
        after = found[name]["depends_on"]
        assert after["migrate"] == {"condition": "service_completed_successfully"}
        assert {after[each]["condition"] for each in ("redis", "objects")} == {"service_healthy"}


# Its commands, with its environment


class Host:
    """The services as processes of this machine, in a fleet's folder."""

    def __init__(self, fleet: Fleet, objects: Server) -> None:
        self.fleet = fleet
        self.objects = objects
        self.services = services()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def local(self, told: dict[str, str]) -> dict[str, str]:
        """A service's environment, with what is reached by a container's name replaced."""
        places = {
            "REGATTA_DATABASE_URL": self.fleet.db.url,
            "REGATTA_S3_ENDPOINT_URL": self.objects.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "REGATTA_BROKER_URL": told["REGATTA_BROKER_URL"].replace(
                "@redis:6379", f"@127.0.0.1:{self.port}"
            ),
            "REGATTA_HOME": str(self.fleet.folder),
        }
        return environment() | told | places

    def start(self, name: str, command: list[str] | None = None) -> "subprocess.Popen[bytes]":
        """Start a service of ours, or another command in its place."""
        program, *words = command or self.services[name]["command"]
        with self.log(name).open("ab") as log:
            return subprocess.Popen(
                [str(Path(sys.executable).with_name(program)), *words],
                env=self.local(self.services[name]["environment"]),
                cwd=self.fleet.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def log(self, name: str) -> Path:
        return self.fleet.folder / f"{name}.log"

    def start_redis(self) -> "subprocess.Popen[bytes]":
        program, *words = self.services["redis"]["command"]
        assert program == "redis-server"
        here = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.fleet.folder)]
        return subprocess.Popen([server_binary(), *words, *here], stdout=subprocess.DEVNULL)

    def is_healthy(self, name: str) -> bool:
        kind, *command = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        with self.start(name, command) as check:
            return check.wait(DEADLINE) == 0


def has_none(client: Any, bucket: str) -> bool:
    """Say whether a bucket answers that there is no such object."""
    try:
        client.head_object(Bucket=bucket, Key="none")
    except ClientError as error:
        return bool(error.response["Error"]["Code"] == "404")
    return False


@pytest.fixture
def host(
    tmp_path: Path, postgres_databases: PostgresDatabases, swift_server: Server
) -> Iterator[Host]:
    """An empty PostgreSQL database and an S3 server with the bucket that the file names."""
    objects = services()["worker"]["environment"]["REGATTA_OBJECTS"]
    bucket = objects.removeprefix("s3://").partition("/")[0]
    client = s3_client(swift_server.options())
    client.create_bucket(Bucket=bucket)
    fleet = Fleet(tmp_path / "home", lambda _: postgres_databases.new_unmigrated())
    # On a busy machine Swift refuses access to a bucket that it has only just made.
    fleet.until(lambda: has_none(client, bucket), "the bucket is open")
    yield Host(fleet, swift_server)
    fleet.close()


@pytest.mark.proof
def test_its_commands_run_a_job(host: Host, pictures: Path, model: Path) -> None:
    fleet = host.fleet
    running = [host.start_redis()]
    try:
        client = redis.Redis(port=host.port, password=FILLED["REDIS_PASSWORD"])
        fleet.until(lambda: answers(client), "Redis answers")
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=host.port).ping()
        info: dict[str, Any] = client.info()  # type: ignore[assignment]
        assert (info["maxmemory_policy"], info["aof_enabled"]) == ("noeviction", 1)
        with host.start("migrate") as migrate:
            assert migrate.wait(DEADLINE) == 0, host.log("migrate").read_text()
        assert not host.is_healthy("worker")
        running += [host.start("scheduler"), host.start("worker")]
        for name in ("scheduler", "worker"):
            fleet.until(lambda name=name: host.is_healthy(name), f"the {name} is healthy")
        command = ["regatta", "submit", str(pictures), "--model", str(model), "--watch"]
        with host.start("scheduler", command) as submit:
            out = submit.communicate(timeout=DEADLINE)[0].decode()
            assert submit.returncode == 0, host.log("scheduler").read_text()
        assert fleet.tally(out.strip()).succeeded == COUNT
        assert fleet.job(out.strip()).output == f"s3://regatta/outputs/{out.strip()}"
        with host.start(
            "worker", ["regatta", "results", out.strip(), "--format", "ndjson"]
        ) as read:
            assert len(read.communicate(timeout=DEADLINE)[0].splitlines()) == COUNT
        with host.start("worker", ["regatta", "doctor", "--format", "table"]) as doctor:
            found = doctor.communicate(timeout=DEADLINE)[0].decode()
        lines = {line.split("  ")[0]: line for line in found.splitlines()}
        for check in ("broker", "broker eviction", "broker persistence", "objects", "consumers"):
            assert " ok " in lines[check], found
        for process in running[:0:-1]:
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE) == 0
        client.close()
    finally:
        for process in running:
            process.kill()
            process.communicate()


def answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
