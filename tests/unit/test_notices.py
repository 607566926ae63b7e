import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from core.errors import UsageError
from core.notices import (
    LONGEST_DELAY,
    Target,
    delay_after,
    notices_of,
    retry_after,
    signature,
    targets_of,
)
from core.request import JobRequest
from core.states import ENDED_JOBS, JobState

KEY = base64.b64encode(b"0123456789abcdef01234567").decode()


def verified(secret: str, signed_with: str) -> None:
    now = int(datetime.now(UTC).timestamp())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(now),
        "webhook-signature": signature(secret, "msg_1", now, b'{"a": 1}'),
    }
    assert Webhook(signed_with).verify('{"a": 1}', headers) == {"a": 1}


def test_signatures_are_those_of_standard_webhooks() -> None:
    verified(f"whsec_{KEY}", KEY)
    verified("plain text", base64.b64encode(b"plain text").decode())
    with pytest.raises(ValueError, match="base64"):
        signature("whsec_?", "msg_1", 1, b"")


def test_who_is_told_of_what() -> None:
    assert notices_of({"name": "x"}) is None
    said = {"notify": ("https://a/1", "https://b/", "https://a/1"), "notify_secret_env": "S"}
    always = notices_of(said | {"notify_command": "say 'it ended'"})
    first, second, third = targets_of(always, JobState.SUCCEEDED).values()
    assert first == Target(url="https://a/1", secret_env="S")  # noqa: S106
    assert second.receiver == "https://b"
    assert third == Target(command="say 'it ended'")
    assert third.receiver == "command say"
    on_failure = notices_of(said | {"notify_on": "failure"})
    told = {state for state in ENDED_JOBS if targets_of(on_failure, state)}
    assert told == {JobState.FAILED, JobState.PARTIAL}
    assert targets_of(None, JobState.FAILED) == {}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"notify": ("ftp://a/",)}, "web address"),
        ({"notify": ("a.example/hook",)}, "web address"),
        ({"notify": ("https://a:x/",)}, "web address"),
        ({"notify": ("https://u:p@a/",)}, "no address with a user"),
        ({"notify_command": "say 'it"}, "cannot be read"),
        ({"notify_command": " "}, "names no command"),
        ({"notify_secret_env": "A"}, "there is no --notify"),
        ({"notify": ("http://a",), "notify_secret_env": "whsec_x="}, "the name of an environment"),
        ({"notify_on": "failure"}, "needs somebody"),
    ],
)
def test_what_nobody_could_be_told_by_is_refused(said: dict[str, object], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        JobRequest(("x",), said).check()


def test_tries_go_on_for_three_days_and_heed_what_is_asked() -> None:
    delays = []
    while (delay := delay_after(len(delays) + 1, 0.5)) is not None:
        delays.append(delay)
    assert delays == sorted(delays)
    assert delays[0] == 5
    assert 3 * 86_400 <= sum(delays) <= 4 * 86_400
    assert delay_after(1, 0) == 4
    assert delay_after(1, 1) == pytest.approx(6)
    assert delay_after(1, 0.5, asked=100) == 100
    assert delay_after(1, 0.5, asked=1e9) == LONGEST_DELAY


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("120", 120),
        ("soon", 0),
        ("-5", 0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ],
)
def test_when_a_receiver_wants_to_be_asked_again(header: str | None, seconds: float) -> None:
    assert retry_after(header, now=10) == seconds
