import logging

import structlog

from worker.kept_lines import KeptLines


def test_lines_about_a_shard_that_runs_here_are_kept_without_secrets() -> None:
    kept = KeptLines()
    log = structlog.wrap_logger(
        logging.getLogger(__name__),
        processors=[kept, _drop],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    log.info("too early", shard=7)
    kept.begin(7)
    log.debug("item quarantined", job="a", shard=7, item="a\x07.jpg", reason="s3://u:p@b/x")
    log.info("another's", shard=8)
    log.info("nobody's")
    try:
        int("x")
    except ValueError:
        log.exception("unexpected", shard=7)
    first, second = kept.of(7)
    assert (first["level"], first["item"]) == ("debug", "a\x07.jpg")
    assert first["reason"] == "s3://***@b/x"
    assert "job" not in first
    assert "ValueError: invalid literal" in second["exception"]
    kept.end(7)
    assert kept.of(7) == []


def _drop(*_: object) -> str:
    raise structlog.DropEvent
