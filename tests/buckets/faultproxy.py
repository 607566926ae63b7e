"""An HTTP proxy in front of a bucket that disturbs the requests it is told to."""

import http.client
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit
from zlib import crc32


class Fault(Enum):
    """What may happen to a request: an answer of S3's (status and code), or none."""

    SLOW_DOWN = (503, "SlowDown")
    INTERNAL = (500, "InternalError")
    DENIED = (403, "AccessDenied")
    EXPIRED = (400, "ExpiredToken")
    ARCHIVED = (403, "InvalidObjectState")
    ODD = (400, "InvalidRequest")
    NO_BUCKET = (404, "NoSuchBucket")
    FULL = (507, "XMinioStorageFull")
    QUOTA = (403, "QuotaExceeded")
    RESET = "the connection is reset"
    SILENT = "no answer comes"
    CUT = "half of the body comes"
    STALL = "half of the body comes, and then nothing"


Plan = Callable[[str, str], Fault | None]
"""What happens to a request of this method and path."""

_ALWAYS_WHOLE = {Fault.CUT, Fault.STALL}


def calm(method: str, path: str) -> None:
    """Nothing happens."""


class FaultProxy:
    """The proxy: `plan` may be replaced at any time, `seen` counts the faults that happened."""

    def __init__(self, upstream: str) -> None:
        self.plan: Plan = calm
        self.seen: Counter[Fault] = Counter()
        self.over = threading.Event()
        self._upstream = urlsplit(upstream).netloc
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def forward(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[Any, bytes]:
        """Ask the server behind, in the words of whoever asks: they are signed."""
        connection = http.client.HTTPConnection(self._upstream)
        try:
            connection.putrequest(
                request.command, request.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in request.headers.items():
                if name.lower() not in {"connection", "expect"}:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.01)

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """A proxy before the server at `upstream`, until the block ends."""
    proxy = FaultProxy(upstream)
    thread = threading.Thread(target=proxy.serve, name="fault-proxy")
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()


def always(fault: Fault, *, on: str = "", method: str = "") -> Plan:
    """The fault at every request whose path holds `on`, of this method if one is given."""
    return lambda asked, path: fault if on in path and method in {"", asked} else None


def at_first(*faults: Fault, share: int = 1) -> Plan:
    """A fault the first time that a thing is asked for, of one thing in `share`; then none."""
    asked: Counter[tuple[str, str]] = Counter()
    lock = threading.Lock()

    def plan(method: str, path: str) -> Fault | None:
        number = crc32(f"{method} {path}".encode())
        with lock:
            asked[method, path] += 1
            is_first = asked[method, path] == 1
        return faults[number // share % len(faults)] if is_first and not number % share else None

    return plan


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def proxy(self) -> FaultProxy:
        assert isinstance(self.server, _Server)
        return self.server.proxy

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.proxy.plan(self.command, unquote(self.path))
        if fault is not None:
            self.proxy.seen[fault] += 1
        if fault is Fault.RESET:
            self._reset()
        elif fault is Fault.SILENT:
            self.proxy.over.wait()
            self.close_connection = True
        elif fault is None or fault in _ALWAYS_WHOLE:
            self._pass_on(*self.proxy.forward(self, body), fault)
        else:
            self._refuse(*fault.value)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_request  # noqa: N815

    def _pass_on(self, answer: Any, body: bytes, fault: Fault | None) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in {"connection", "transfer-encoding", "content-length"}:
                self.send_header(name, value)
        length = answer.getheader("Content-Length", "0") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        self.wfile.write(body if fault is None else body[: len(body) // 2])
        if fault is Fault.STALL:
            self.wfile.flush()
            self.proxy.over.wait()
        self.close_connection = self.close_connection or fault is not None

    def _refuse(self, status: int, code: str) -> None:
        said = f"<Error><Code>{code}</Code><Message>the proxy says so</Message></Error>"
        body = b"" if self.command == "HEAD" else said.encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):
            self.close_connection = True  # whoever asked has gone, or was sent away
