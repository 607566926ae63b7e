import base64
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from cli.like import like_job
from core.notices import notices_of
from core.states import JobMoves, JobState
from scheduler import webhooks
from scheduler.notices import Notifier
from scheduler.settle import Settler
from scheduler.webhooks import Rules
from store import jobs, notifications, settling
from store.tables import Notification, Schedule, ScheduleFire
from tests.bench import Bench


class Receiver:
    """Answers POSTs as told, one answer after another; the last one stays."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str]]] = [(204, {})]
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.hangs = threading.Event()  # until it is set, paths that say so get no answer
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if "hang" in self.path:
                    receiver.hangs.wait(20)
                    return
                receiver.got.append((dict(self.headers), body))
                more = len(receiver.answers) > 1
                status, headers = receiver.answers.pop(0) if more else receiver.answers[0]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *words: object) -> None:
                del words

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self.hangs.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def ended(bench: Bench, job: str = "a", **said: Any) -> None:
    """A job of two items that has ended, and tells those whom its options name."""
    bench.job(job, [2], notify=notices_of(said), tags=["nightly"])
    bench.publish_all(job)
    assert Settler(bench.db).tick() == 1


def notifier(bench: Bench, rules: Rules = Rules()) -> Notifier:  # noqa: B008 - it is frozen
    return Notifier(bench.db, "s1", rules, jitter=lambda: 0.5)


def rows(bench: Bench, job: str = "a") -> list[Notification]:
    return list(bench.db.read(lambda s: notifications.notifications_of(s, job)))


def test_a_webhook_is_signed_and_says_what_came_of_the_job(
    bench: Bench, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = base64.b64encode(b"k" * 32).decode()
    monkeypatch.setenv("HOOK_SECRET", f"whsec_{key}")
    ended(bench, notify=(f"{receiver.url}/hook?key=1",), notify_secret_env="HOOK_SECRET")  # noqa: S106
    assert notifier(bench).tick() == 1
    [(headers, body)] = receiver.got
    said = Webhook(key).verify(body, {name.lower(): value for name, value in headers.items()})
    assert said == json.loads(body)
    assert said["type"] == "job.succeeded"
    assert said["data"]["items"]["succeeded"] == 2
    assert said["data"]["tags"] == ["nightly"]
    assert headers["webhook-id"] == "msg_a_0_0"
    assert headers["host"] == receiver.url.removeprefix("http://")
    [row] = rows(bench)
    assert (row.state, row.tries, row.error) == ("delivered", 1, None)
    assert row.receiver == receiver.url
    assert notifier(bench).tick() == 0


@pytest.mark.parametrize(
    ("answer", "headers", "said", "wait"),
    [
        (500, {}, "500 Internal Server Error", 5),
        (302, {"Location": "/elsewhere"}, "redirections are not followed", 5),
        (429, {"Retry-After": "100"}, "429 Too Many Requests", 100),
    ],
)
def test_what_fails_is_sent_again_with_the_same_id(
    sqlite_bench: Bench,
    receiver: Receiver,
    answer: int,
    headers: dict[str, str],
    said: str,
    wait: float,
) -> None:
    receiver.answers = [(answer, headers), (200, {})]
    ended(sqlite_bench, notify=(receiver.url,))
    assert notifier(sqlite_bench).tick() == 1
    [row] = rows(sqlite_bench)
    assert row.state == "pending"
    assert said in str(row.error)
    sqlite_bench.clock.now += wait - 1
    assert notifier(sqlite_bench).tick() == 0
    sqlite_bench.clock.now += 1
    assert notifier(sqlite_bench).tick() == 1
    [row] = rows(sqlite_bench)
    assert (row.state, row.tries, row.error) == ("delivered", 2, None)
    first, second = receiver.got
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    assert first[1] == second[1]


def test_whom_nobody_can_reach_for_days_is_given_up(sqlite_bench: Bench) -> None:
    ended(sqlite_bench, notify=("http://127.0.0.1:9/",))
    tries = 0
    while notifier(sqlite_bench).tick():
        tries += 1
        sqlite_bench.clock.now += 86_400
    [row] = rows(sqlite_bench)
    assert (row.state, row.tries) == ("failed", tries)
    assert "connect" in str(row.error).lower()


def test_who_says_gone_hears_no_more_of_the_job(bench: Bench, receiver: Receiver) -> None:
    receiver.answers = [(410, {})]
    bench.job("a", [2, 2], notify=notices_of({"notify": (receiver.url,)}))
    bench.publish_all("a", quarantined=1)
    assert Settler(bench.db).tick() == 1
    notifier(bench).tick()
    assert [row.state for row in rows(bench)] == ["gone"]
    bench.db.write(lambda s: jobs.reopen(s, "a", now=bench.clock.now))
    bench.publish_all("a")
    assert Settler(bench.db).tick() == 1
    assert len(rows(bench)) == 1


def test_a_retried_job_tells_again(bench: Bench, receiver: Receiver) -> None:
    bench.job("a", [2], notify=notices_of({"notify": (receiver.url,), "notify_on": "failure"}))
    bench.publish_all("a", quarantined=1)
    assert Settler(bench.db).tick() == 1
    bench.db.write(lambda s: jobs.reopen(s, "a", now=bench.clock.now))
    bench.publish_all("a", quarantined=2)
    assert Settler(bench.db).tick() == 1
    assert notifier(bench).tick() == 2
    assert sorted(got["webhook-id"] for got, _ in receiver.got) == ["msg_a_0_0", "msg_a_1_0"]
    bench.db.write(lambda s: jobs.reopen(s, "a", now=bench.clock.now))
    bench.publish_all("a")
    assert Settler(bench.db).tick() == 1
    assert len(rows(bench)) == 2  # it succeeded


def test_two_settlers_write_one_row_and_two_notifiers_send_once(
    bench: Bench, receiver: Receiver
) -> None:
    bench.job("a", [2], notify=notices_of({"notify": (receiver.url,)}))
    bench.publish_all("a")
    seen = bench.read_job("a")
    for _ in range(2):
        bench.db.write(
            lambda s: settling.end(s, seen, JobMoves.SUCCEED, now=bench.clock.now, error=None)
        )
    assert len(rows(bench)) == 1
    assert at_once([notifier(bench).tick, notifier(bench).tick]) == [0, 1]
    assert len(receiver.got) == 1


def at_once(ticks: list[Callable[[], int]]) -> list[int]:
    done: list[int] = []
    threads = [threading.Thread(target=lambda t=tick: done.append(t())) for tick in ticks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(done)


def test_killed_between_sending_and_noting_it_sends_twice_with_one_id(
    bench: Bench, receiver: Receiver
) -> None:
    ended(bench, notify=(receiver.url,))
    killed = notifier(bench)
    killed._note = lambda notice, outcome: None  # type: ignore[method-assign]
    assert killed.tick() == 1
    assert notifier(bench).tick() == 0  # leased
    bench.clock.now += 121
    assert notifier(bench).tick() == 1
    first, second = (got["webhook-id"] for got, _ in receiver.got)
    assert first == second
    [row] = rows(bench)
    assert (row.state, row.tries) == ("delivered", 2)


def test_who_hangs_delays_nobody_else_and_is_left_to_others_at_the_end(
    sqlite_bench: Bench, receiver: Receiver
) -> None:
    other = Receiver()
    for number in range(33):
        ended(sqlite_bench, f"h{number}", notify=(f"{receiver.url}/hang",))
    ended(sqlite_bench, "a", notify=(other.url,))
    stop = threading.Event()
    running = threading.Thread(target=notifier(sqlite_bench).run, args=(stop,))
    running.start()
    until = time.monotonic() + 10
    while not other.got and time.monotonic() < until:
        time.sleep(0.02)
    stop.set()
    running.join()
    other.close()
    assert len(other.got) == 1
    assert {(row.state, row.tries, row.owner) for row in rows(sqlite_bench, "h0")} == {
        ("pending", 0, None)
    }


def test_who_answers_too_late_failed(
    sqlite_bench: Bench, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(webhooks.tell.__kwdefaults__, "webhook_seconds", 0.2)
    ended(sqlite_bench, notify=(f"{receiver.url}/hang",))
    notifier(sqlite_bench).tick()
    [row] = rows(sqlite_bench)
    assert row.error == "it took longer than 0.2 s"


def test_addresses_that_are_not_called(sqlite_bench: Bench, receiver: Receiver) -> None:
    ended(sqlite_bench, notify=("http://169.254.169.254/latest", "http://[::]:80/", receiver.url))
    notifier(sqlite_bench, Rules(private=False)).tick()
    told = [str(row.error) for row in rows(sqlite_bench)]
    assert "which is never called" in told[0]
    assert "which is never called" in told[1]
    assert "notify_private" in told[2]
    assert receiver.got == []


def test_a_command_gets_the_facts(sqlite_bench: Bench, tmp_path: Path) -> None:
    script = tmp_path / "tell me.py"
    script.write_text(
        "import os, pathlib, sys\n"
        "to = pathlib.Path(sys.argv[1])\n"
        "to.write_text(os.environ['REGATTA_JOB_ID'] + ' ' + sys.stdin.read())\n"
    )
    to = tmp_path / "told; rm x"
    ended(sqlite_bench, notify_command=f"{sys.executable} '{script}' '{to}'")
    assert notifier(sqlite_bench).tick() == 1
    assert [row.state for row in rows(sqlite_bench)] == ["delivered"]
    job, _, said = to.read_text().partition(" ")
    assert job == "a"
    assert json.loads(said)["data"]["state"] == JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("command", "rules", "why"),
    [
        ("sh -c 'echo no such list >&2; exit 3'", Rules(), "it ended with 3: no such list"),
        ("/no/such/program", Rules(), "No such file"),
        ("sh -c 'sleep 60 & wait'", Rules(), "it took longer than 0.2 s"),
        ("true", Rules(commands=False), "notify_commands"),
    ],
)
def test_commands_that_fail(
    sqlite_bench: Bench, command: str, rules: Rules, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "sleep" in command:
        monkeypatch.setitem(webhooks.tell.__kwdefaults__, "command_seconds", 0.2)
    ended(sqlite_bench, notify_command=command)
    notifier(sqlite_bench, rules).tick()
    [row] = rows(sqlite_bench)
    assert row.state == "pending"
    assert why in str(row.error)


def test_manifests_neither_say_who_is_told_nor_decide_it(
    sqlite_bench: Bench, tmp_path: Path
) -> None:
    asked = {"notify": ["https://a/secret"], "notify_on": "failure", "notify_command": "say"}
    request = {"source": "/nowhere/", "tag": ["t"], **asked}
    sqlite_bench.job("a", [1], request=request)
    sqlite_bench.publish_all("a")
    assert Settler(sqlite_bench.db).tick() == 1
    path = tmp_path / "a" / "manifest.json"
    manifest = json.loads(path.read_text())
    assert manifest["request"] == {"source": "/nowhere/", "tag": ["t"]}
    path.write_text(json.dumps(manifest | {"request": request}))
    assert like_job(sqlite_bench.db, str(path)).said.keys().isdisjoint(asked)
    assert like_job(sqlite_bench.db, "a").said["notify"] == ("https://a/secret",)


def test_a_schedules_job_names_it(sqlite_bench: Bench, receiver: Receiver) -> None:
    schedule = Schedule(
        id="s", name="nightly", definition={}, state="active", created_at=1.0, changed_at=1.0
    )
    fire = ScheduleFire(
        schedule_id="s", due_at=1.0, revision=1, cause="cron", state="done", fired_at=1.0
    )
    fire.job_id = "a"
    sqlite_bench.db.write(lambda s: s.add_all([schedule, fire]))
    ended(sqlite_bench, notify=(receiver.url,))
    [row] = rows(sqlite_bench)
    assert row.payload["data"]["schedule"] == "nightly"
