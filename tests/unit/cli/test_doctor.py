import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.doctor import database as check_database
from cli.doctor import paddle as check_paddle
from cli.doctor import storage as check_storage
from cli.stack.broker import answers, server_binary
from cli.stack.environment import python_module
from cli.stack.schema import Revision
from core.states import JobState
from migrations.upgrade import current, is_current
from store import processes
from store.revision import NEWEST
from tests.bench import Bench
from tests.unit.cli.conftest import Regatta

HEALTHY = {
    "version": "3.2.2",
    "gpu_build": False,
    "gpus": [],
    "gpu_error": None,
    "tensorrt": None,
    "tensorrt_why": "made without",
    "onednn_error": None,
    "onednn_wrong": ["bilinear, align_corners", "nearest, by no whole number"],
}

Say = Callable[[str], None]


@pytest.fixture(autouse=True)
def probe(monkeypatch: pytest.MonkeyPatch) -> Say:
    """Trying the real Paddle takes seconds, and its version is not these tests' business."""

    def say(code: str) -> None:
        words = [*python_module("json")[:2], "-c", code]
        monkeypatch.setattr(check_paddle, "python_module", lambda _: words)

    say(f"print({json.dumps(json.dumps(HEALTHY))})")
    return say


@pytest.fixture
def a_process_looks() -> None:
    """The migrations look at the database in a process of their own, as they always do."""


@pytest.fixture(autouse=True)
def looking(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere they do so in this process, which has imported them already."""
    if "a_process_looks" not in request.fixturenames:
        monkeypatch.setattr(
            check_database, "look", lambda url: Revision(current(url), is_current(url))
        )


def findings(regatta: Regatta, code: int) -> dict[str, dict[str, Any]]:
    result = regatta("doctor", "--format", "json")
    assert result.exit_code == code, result.output
    found = json.loads(result.stdout)
    said = [f"{each['check']}: {each['mend']}" for each in found if each["mend"]]
    assert all(words in result.stderr for words in said)
    return {each["check"]: each for each in found}


def failed(found: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, each in found.items() if each["status"] == "failed"}


def test_a_healthy_home(bench: Bench, regatta: Regatta, a_process_looks: None) -> None:
    found = findings(regatta, 0)
    assert failed(found) == set()
    assert found["database"]["found"].endswith(f"is at revision {NEWEST}")
    assert found["paddle"]["found"] == "paddlepaddle 3.2.2, for CPUs"
    assert found["packages"]["found"] == "as locked"
    assert list((bench.root / "outputs").iterdir()) == []


def test_a_new_home_is_no_failure(
    bench: Bench, regatta: Regatta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGATTA_HOME", str(bench.root / "new"))
    found = findings(regatta, 0)
    assert found["database"]["status"] == "-"
    assert found["consumers"]["status"] == "-"
    assert not (bench.root / "new" / "regatta.db").exists()


def test_a_database_without_tables(
    bench: Bench,
    regatta: Regatta,
    a_process_looks: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "empty.db").touch()
    monkeypatch.setenv("REGATTA_DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    found = findings(regatta, 1)
    assert failed(found) == {"database"}
    assert found["database"]["mend"] == "regatta db upgrade"


def test_a_file_that_is_no_database(
    bench: Bench, regatta: Regatta, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken.db").write_bytes(b"long enough to look like something " * 30)
    monkeypatch.setenv("REGATTA_DATABASE_URL", f"sqlite:///{tmp_path / 'broken.db'}")
    found = findings(regatta, 1)
    assert "not a database" in found["database"]["found"]
    assert "REGATTA_DATABASE_URL" in found["database"]["mend"]


def test_an_output_that_cannot_be_written(
    bench: Bench, regatta: Regatta, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("REGATTA_OBJECTS", str(tmp_path / "file" / "objects"))
    assert failed(findings(regatta, 1)) == {"objects"}


@pytest.mark.parametrize(("free", "code"), [(10**9, 0), (10**8, 1)])
def test_a_disk_that_is_nearly_full(
    bench: Bench, regatta: Regatta, monkeypatch: pytest.MonkeyPatch, free: int, code: int
) -> None:
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr(check_storage.shutil, "disk_usage", lambda _: usage)
    disk = findings(regatta, code)["disk"]
    assert disk["status"] == ("failed" if code else "warning")
    assert "free some space" in disk["mend"]


def test_a_paddle_that_cannot_be_imported(bench: Bench, regatta: Regatta, probe: Say) -> None:
    probe("import no_such_module")
    found = findings(regatta, 1)
    assert failed(found) == {"paddle"}
    assert "no_such_module" in found["paddle"]["found"]
    assert found["paddle"]["mend"] == "pip install paddlepaddle==3.2.2"


@pytest.mark.parametrize(
    ("answer", "gpus", "expected"),
    [
        ({}, [], {"paddle": "ok", "onednn": "ok", "gpu": "-", "tensorrt": "-"}),
        ({"version": "3.2.1"}, [], {"paddle": "warning", "onednn": "ok"}),
        ({"version": "3.3.1", "onednn_error": "E"}, [], {"paddle": "warning", "onednn": "failed"}),
        ({}, ["0"], {"gpu": "warning"}),
        ({"gpu_build": True, "gpu_error": "no driver"}, [], {"gpu": "failed"}),
        (
            {"gpu_build": True, "gpus": ["H100"], "onednn_error": "E", "version": "3.0.0"},
            ["0"],
            {"paddle": "ok", "onednn": "warning", "gpu": "ok"},
        ),
        ({"tensorrt": "10.5.0"}, [], {"tensorrt": "ok"}),
    ],
)
def test_what_paddle_says_is_judged(
    answer: dict[str, Any], gpus: list[str], expected: dict[str, str]
) -> None:
    found = {each.check: each for each in check_paddle.judge(HEALTHY | answer, gpus)}
    assert {name: found[name].status for name in expected} == expected
    needy = [each for each in found.values() if each.status in {"warning", "failed"}]
    assert all(each.mend for each in needy)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([], "runs every kind of interpolation correctly"),
        (["bilinear, align_corners", "nearest"], "for: bilinear, align_corners; nearest"),
    ],
)
def test_what_is_steered_clear_of_is_named(wrong: list[str], said: str) -> None:
    findings = {
        each.check: each for each in check_paddle.judge(HEALTHY | {"onednn_wrong": wrong}, [])
    }
    assert findings["onednn"].status == "ok"
    assert findings["onednn"].found.endswith(said)


def test_times_that_do_not_fit(
    bench: Bench, regatta: Regatta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGATTA_VISIBILITY_SECONDS", "5")
    monkeypatch.setenv("REGATTA_STALL_SECONDS", "10")
    monkeypatch.setenv("REGATTA_HANG_SECONDS", "10")
    found = findings(regatta, 1)
    assert failed(found) == {"visibility"}
    assert found["visibility"]["mend"] == "set REGATTA_VISIBILITY_SECONDS to 20 or more"
    assert (found["stall"]["status"], found["hang"]["status"]) == ("warning", "warning")


class Server:
    """A Redis with options of its own, on a socket."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "s"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> str:
        words = ["--port", "0", "--unixsocket", str(self.socket), "--dir", str(self._folder)]
        self._process = subprocess.Popen(
            [server_binary(), *words, *options], stdout=subprocess.DEVNULL
        )
        while not self.socket.exists() or not (answers(self.socket) or "--requirepass" in options):
            assert self._process.poll() is None
        return f"redis+socket://{self.socket}"

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="redis-", dir="/tmp") as folder:
        server = Server(Path(folder))
        yield server
        server.close()


def test_a_broker_that_is_in_order(
    bench: Bench, regatta: Regatta, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGATTA_BROKER_URL", server.start("--appendonly", "yes"))
    found = findings(regatta, 0)
    names = ("broker", "broker eviction", "broker persistence", "clock (broker)")
    assert {found[name]["status"] for name in names} == {"ok"}
    assert "answers" in found["broker"]["found"]


def test_a_broker_that_loses_what_it_is_given(
    bench: Bench, regatta: Regatta, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--save", "", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    monkeypatch.setenv("REGATTA_BROKER_URL", server.start(*options))
    found = findings(regatta, 1)
    assert failed(found) == {"broker eviction"}
    assert "noeviction" in found["broker eviction"]["mend"]
    assert found["broker persistence"]["status"] == "warning"
    assert "appendonly yes" in found["broker persistence"]["mend"]


def test_a_broker_that_wants_a_password(
    bench: Bench, regatta: Regatta, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGATTA_BROKER_URL", server.start("--requirepass", "secret"))
    found = findings(regatta, 1)
    assert failed(found) == {"broker"}
    assert "password" in found["broker"]["mend"]


@pytest.mark.parametrize("url", ["redis+socket:///nowhere/s", "amqp://127.0.0.1:1//"])
def test_a_broker_that_is_not_there(
    bench: Bench, regatta: Regatta, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("REGATTA_BROKER_URL", url)
    found = findings(regatta, 1)
    assert failed(found) == {"broker"}
    assert found["broker"]["mend"] == "start it, or correct REGATTA_BROKER_URL"


@pytest.mark.parametrize(
    ("seconds", "code", "status", "word"),
    [(3.0, 0, "warning", "behind"), (-60.0, 1, "failed", "ahead of")],
)
def test_a_broker_with_another_time(
    bench: Bench,
    regatta: Regatta,
    broker: str,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    code: int,
    status: str,
    word: str,
) -> None:
    real = time.time
    monkeypatch.setattr("cli.doctor.broker.time.time", lambda: real() + seconds)
    monkeypatch.setenv("REGATTA_BROKER_URL", broker)
    clock = findings(regatta, code)["clock (broker)"]
    assert clock["status"] == status
    assert word in clock["found"]


def test_work_that_waits_for_nobody(
    bench: Bench, regatta: Regatta, broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.job("a", [2, 2])
    found = findings(regatta, 0)  # one machine's own: it starts with the next command
    assert found["consumers"]["status"] == "warning"
    monkeypatch.setenv("REGATTA_BROKER_URL", broker)
    result = regatta("doctor", "--format", "json")
    assert result.exit_code == 1
    said = [e["found"] for e in json.loads(result.stdout) if e["check"] == "consumers"]
    assert "2 shards wait in the queue 'detect', which no live worker serves" in said
    assert "jobs are under way, and no scheduler lives" in said
    heartbeat = processes.Heartbeat("w", processes.WORKER, "h", 1, "0", queues=("detect",))
    bench.db.write(lambda s: processes.beat(s, heartbeat, now=time.time()))
    result = regatta("doctor", "--format", "json")
    assert "which no live worker serves" not in result.stdout


def test_work_that_is_paused_waits_for_nobody(
    bench: Bench, regatta: Regatta, broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.job("a", [2], state=JobState.PAUSED)
    monkeypatch.setenv("REGATTA_BROKER_URL", broker)
    assert findings(regatta, 0)["consumers"]["status"] == "ok"


def test_db_upgrade_makes_the_tables(
    bench: Bench, regatta: Regatta, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REGATTA_DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    for _ in range(2):
        result = regatta("db", "upgrade")
        assert result.exit_code == 0, result.stderr
        assert f"at revision {NEWEST}" in result.stderr
    assert findings(regatta, 0)["database"]["status"] == "ok"


def test_a_table_says_it_in_words(bench: Bench, regatta: Regatta) -> None:
    lines = regatta("doctor", "--format", "table").stdout.splitlines()
    assert lines[0].split() == ["CHECK", "STATUS", "FOUND"]
    assert {line.split()[0]: line.split()[1] for line in lines[1:]}["paddle"] == "ok"
