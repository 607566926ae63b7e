"""Configures logging: structlog and the standard library, to stderr, without secrets."""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Protocol

import structlog
from structlog.contextvars import merge_contextvars
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

# What precedes a host: up to the last @, because passwords may hold one, or a slash.
_CREDENTIALS = re.compile(
    r"""(\b[a-z][a-z0-9+.-]*://)(?:[^\s"'/@:]*:[^\s"']*|[^\s"'/]*)@""", re.IGNORECASE
)
# What could forge a line, steer a terminal, reverse text, or not be encoded at all.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_MULTILINE = frozenset({"exception", "stack"})


class LogSettings(Protocol):
    """What logging needs to know; provided by `config.settings.Settings`."""

    @property
    def log_format(self) -> str:
        """`console`, `json`, or `auto`: `console` on a terminal."""

    @property
    def log_level(self) -> str:
        """The least severe level to log, as the standard library names it, in any case."""


class StderrHandler(logging.Handler):
    """The only handler of a process's log; stdout is for data.

    It writes to the current stderr, a whole line at a time: processes share a terminal.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; if that fails, report it once and never raise."""
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except Exception:  # a lost line must not stop the work that it reports
            self.handleError(record)


def configure_logs(settings: LogSettings, *, keep: Processor | None = None) -> None:
    """Send the log of this process to stderr, structlog's and the standard library's alike.

    A line says what happened in its `event`, a dotted name such as `shard.claimed`, and to what in
    further keys. Credentials in URLs are struck out and control characters escaped, wherever they
    come from. May be called again: the last call wins. `keep` sees every event of structlog's,
    whatever its level.
    """
    shared: list[Processor] = [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            *((merge_contextvars, keep) if keep is not None else ()),
            structlog.stdlib.filter_by_level,
            *shared,
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = StderrHandler()
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _make_safe,
                _renderer(settings.log_format),
            ],
        )
    )
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, StderrHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.log_level.upper())


def _make_safe(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return safe(event)


def _renderer(log_format: str) -> Processor:
    on_terminal = sys.stderr.isatty()
    if log_format == "json" or (log_format == "auto" and not on_terminal):
        return structlog.processors.JSONRenderer()
    # The default formatter of exceptions would print the values of local variables.
    return structlog.dev.ConsoleRenderer(
        colors=on_terminal, exception_formatter=structlog.dev.plain_traceback
    )


def safe(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event without credentials and unprintable characters."""
    return {key: _safe(value, multiline=key in _MULTILINE) for key, value in event.items()}


def _safe(value: Any, *, multiline: bool = False) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {_safe(str(key)): _safe(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_safe(inner) for inner in value]
    text = repr(value) if isinstance(value, BaseException) else str(value)
    text = _CREDENTIALS.sub(r"\1***@", text)
    return "\n".join(map(_escaped, text.split("\n"))) if multiline else _escaped(text)


def _escaped(text: str) -> str:
    return _UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], text)
