"""Webhook receivers that fail, hang and come back, told by whole schedulers about whole jobs."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook

from store.tables import Notification
from tests.acceptance.environment import SHORT_LEASES
from tests.acceptance.fleet import Fleet
from tests.acceptance.pictures import picture, write_picture
from tests.acceptance.prompt import Prompt

SECRET = "c2VjcmV0IG9mIHRoZXNlIHRlc3Rz"  # noqa: S105 - base64 of a secret of these tests


class Receiver:
    """Answers POSTs: `/hang` never, `/cut` with half an answer, `/good` with these codes in turn.

    `got` is what came: each path, the headers, in lower case, and the body.
    """

    def __init__(self) -> None:
        self.codes = [500, 503, 204]
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self._ends = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.got.append((self.path, headers, body))
                if self.path == "/hang":
                    receiver._ends.wait()
                elif self.path == "/cut":
                    self.wfile.write(b"HTTP/1.1 20")
                    self.connection.shutdown(socket.SHUT_RDWR)
                else:
                    self.send_response(receiver.codes.pop(0) if self.path == "/good" else 204)
                    self.end_headers()

            def log_message(self, *words: object) -> None:
                del words

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._ends.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A folder with one picture."""
    folder = tmp_path / "photos"
    folder.mkdir()
    write_picture(folder / "1.jpg", picture(1))
    return folder


def hurry(fleet: Fleet) -> None:
    """Let what is to be sent again be sent now, instead of minutes or hours later."""
    fleet.db.write(
        lambda s: s.execute(
            update(Notification).where(Notification.state == "pending").values(next_at=0)
        )
    )


def states(fleet: Fleet, job: str) -> list[str]:
    """The states of a job's notifications, sorted."""
    query = select(Notification.state).where(Notification.job_id == job)
    return sorted(fleet.db.read(lambda s: s.scalars(query).all()))


@pytest.mark.proof
def test_bad_receivers_hold_up_nobody_and_get_it_in_the_end(
    fleet: Fleet, photo: Path, model: Path, receiver: Receiver
) -> None:
    fleet.settings |= SHORT_LEASES | {"NOTIFY_COMMANDS": "true"}
    fleet.start_redis()
    doomed = fleet.start_scheduler(HOOK_SECRET=f"whsec_{SECRET}")
    fleet.start_worker()
    prompt = Prompt(fleet)
    said = fleet.folder / "said"
    bad = [word for name in ("hang", "cut") for word in ("--notify", f"{receiver.url}/{name}")]
    command = f"sh -c 'cat > {said}; exit 3'"
    words = [*bad, "--notify", f"{receiver.url}/good", "--notify-secret-env", "REGATTA_HOOK_SECRET"]
    every = ("--cron", "@yearly", "--mode", "new-only", "--notify-command", command)
    prompt.does("schedule", "add", "told", photo, "--model", model, *words, *every)
    assert prompt.run("schedule", "run", "told", "--wait").code == 0
    job = json.loads(prompt.does("status", "told", "--format", "json"))["id"]
    fleet.until(lambda: len(receiver.got) >= 3 and said.exists(), "each is told once")

    # One that hangs holds up no other job, and none of its receivers.
    begun = time.monotonic()
    quick = prompt.does("submit", photo, "--model", model, "--notify", f"{receiver.url}/quick")
    fleet.until(lambda: [one for one in receiver.got if one[0] == "/quick"], "another is told")
    assert time.monotonic() - begun < 10
    fleet.until_ended(quick.strip())

    # The scheduler dies while it waits for an answer; another one tells it all again.
    fleet.kill(doomed)
    fleet.start_scheduler(HOOK_SECRET=f"whsec_{SECRET}")

    def delivered() -> bool:
        hurry(fleet)
        return "delivered" in states(fleet, job)

    fleet.until(delivered, "the good receiver has it")
    good = [(headers, body) for path, headers, body in receiver.got if path == "/good"]
    assert len(good) == 3
    assert len({headers["webhook-id"] for headers, _ in good}) == 1
    for headers, body in good:
        message = Webhook(SECRET).verify(body, headers)
        assert (message["type"], message["data"]["id"]) == ("job.succeeded", job)
        assert message["data"]["schedule"] == "told"
    assert json.loads(said.read_text())["data"]["id"] == job
    shown = json.loads(prompt.does("status", job, "--format", "json"))["notifications"]
    assert states(fleet, job) == ["delivered", "pending", "pending", "pending"], shown
    assert SECRET not in json.dumps(shown)
    assert "/hang" not in json.dumps(shown)  # paths are secrets, too
