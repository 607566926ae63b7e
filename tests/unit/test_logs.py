import contextvars
import json
import logging
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from config.logs import StderrHandler, configure_logs

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    for handler in [each for each in root.handlers if isinstance(each, StderrHandler)]:
        root.removeHandler(handler)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def configure(log_format: str = "json", log_level: str = "info") -> None:
    configure_logs(SimpleNamespace(log_format=log_format, log_level=log_level))


def fail(error: Exception) -> NoReturn:
    raise error


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Configures a JSON log; gives its lines, and makes sure that nothing is on stdout."""
    configure()

    def read() -> list[dict[str, Any]]:
        captured = capsys.readouterr()
        assert captured.out == ""
        return [json.loads(line) for line in captured.err.splitlines()]

    return read


def test_a_line_has_its_event_and_keys(lines: Lines) -> None:
    structlog.get_logger("worker").info("shard.claimed", items=3)
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "shard.claimed", "items": 3, "level": "info", "logger": "worker"}


def test_the_standard_library_logs_through_the_same_formatter(lines: Lines) -> None:
    with bound_contextvars(job="j", shard=7):
        logging.getLogger("celery.worker").warning("lost %s of %d", "connection", 2)
    (line,) = lines()
    assert (line["event"], line["logger"]) == ("lost connection of 2", "celery.worker")
    assert (line["level"], line["job"], line["shard"]) == ("warning", "j", 7)


def test_bound_keys_end_with_the_block_and_nest(lines: Lines) -> None:
    log = structlog.get_logger()
    with bound_contextvars(job="j"):
        with bound_contextvars(shard=1):
            log.info("a")
        log.info("b")
    log.info("c")
    assert [(line.get("job"), line.get("shard")) for line in lines()] == [
        ("j", 1),
        ("j", None),
        (None, None),
    ]


def test_a_thread_in_a_copied_context_has_the_bound_keys(lines: Lines) -> None:
    with bound_contextvars(shard=1):
        context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(structlog.get_logger().info, "a"))
    thread.start()
    thread.join()
    assert lines()[0]["shard"] == 1


def test_the_level_holds_for_both(lines: Lines) -> None:
    configure(log_level="warning")
    structlog.get_logger().info("a")
    logging.getLogger("b").info("b")
    structlog.get_logger().warning("c")
    assert [line["event"] for line in lines()] == ["c"]


def test_configuring_again_does_not_double_lines(lines: Lines) -> None:
    configure()
    structlog.get_logger().info("a")
    assert len(lines()) == 1
    assert sum(isinstance(each, StderrHandler) for each in logging.getLogger().handlers) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://me:secret@host:1/0 down", "redis://***@host:1/0 down"),
        ("redis://:secret@host", "redis://***@host"),
        ("amqp://secret@host", "amqp://***@host"),
        ("postgresql+psycopg://me:se@cr/et@host/db", "postgresql+psycopg://***@host/db"),
        ('"redis://a:secret@h" and "redis://b:secret@i"', '"redis://***@h" and "redis://***@i"'),
        ("file:///data/me@home.jpg", "file:///data/me@home.jpg"),
        ("s3://bucket/a:b@c.jpg", "s3://bucket/a:b@c.jpg"),
        ("mail me@host", "mail me@host"),
    ],
)
def test_credentials_are_struck_out(lines: Lines, text: str, expected: str) -> None:
    log = structlog.get_logger()
    log.info(text, url=text, nested={"a": [text]}, error=OSError(text))
    logging.getLogger("x").info("%s", text)
    ours, foreign = lines()
    assert (ours["event"], ours["url"], ours["nested"]) == (expected, expected, {"a": [expected]})
    assert foreign["event"] == expected
    assert "secret" not in ours["error"]


def test_a_traceback_is_one_key_without_credentials(lines: Lines) -> None:
    try:
        fail(OSError("redis://me:hidden@host is down"))
    except OSError:
        structlog.get_logger().exception("broker.lost")
    (line,) = lines()
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("OSError: redis://***@host is down")
    assert "\n" in line["exception"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_names_from_data_cannot_forge_lines_or_steer_terminals(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, log_format: str
) -> None:
    configure(log_format)
    # Handlers of pytest's own would keep the raw name, which its reports can't carry.
    root = logging.getLogger()
    ours = [each for each in root.handlers if isinstance(each, StderrHandler)]
    monkeypatch.setattr(root, "handlers", ours)
    name = "a\n\x1b[2J\x9b\r\u202egpj.\udcff"
    structlog.get_logger().info("item.failed", key=name)
    logging.getLogger("x").info(name)
    err = capsys.readouterr().err
    assert err.count("\n") == 2
    assert not set(err) & set("\x1b\x9b\r\u202e\udcff")
    assert "\\x1b[2J" in err


def test_values_that_json_does_not_know_become_text(lines: Lines) -> None:
    structlog.get_logger().info("a", b=b"x", flag=True, none=None, number=1.5, many=(1, {2}))
    (line,) = lines()
    assert [line[key] for key in ("b", "flag", "none", "number", "many")] == [
        "b'x'",
        True,
        None,
        1.5,
        [1, [2]],
    ]


def test_the_console_shows_event_and_keys(capsys: pytest.CaptureFixture[str]) -> None:
    configure("console")
    try:
        fail(ValueError("wrong"))
    except ValueError:
        structlog.get_logger().exception("item.failed", key="a.jpg")
    captured = capsys.readouterr()
    assert captured.out == ""
    first, *rest = captured.err.splitlines()
    assert "item.failed" in first
    assert "key=a.jpg" in first
    assert rest[-1] == "ValueError: wrong"


def test_auto_is_json_where_stderr_is_no_terminal(lines: Lines) -> None:
    configure("auto")
    structlog.get_logger().info("a")
    assert lines()[0]["event"] == "a"


def test_auto_is_the_console_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    configure("auto")
    structlog.get_logger().info("item.failed")
    with pytest.raises(ValueError):
        json.loads(capsys.readouterr().err)
