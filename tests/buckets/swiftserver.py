"""OpenStack Swift with its S3 API: an object store that nobody here wrote."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.buckets.server import ACCESS_KEY, SECRET_KEY, Server, await_port, free_port, started

_FILTERS = "catch_errors gatekeeper healthcheck listing_formats bulk s3api tempauth slo dlo"

_STORAGE = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
workers = 0
disable_fallocate = true
log_address = /nonexistent
log_level = ERROR
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""

_PROXY = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {folder}
workers = 0
log_address = /nonexistent
log_level = ERROR
[pipeline:main]
pipeline = {filters} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:tempauth]
use = egg:swift#tempauth
user_{user} = {key} .admin
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
dns_compliant_bucket_names = true
location = us-east-1
"""


class Swift(Server):
    """The server; the process that all requests go through may be killed and started again."""

    def __init__(self, command: Sequence[str], port: int, log: Path) -> None:
        super().__init__(f"http://127.0.0.1:{port}")
        self._command, self._port, self._log = command, port, log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        await_port(self._port, self._process, self._log)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def swift(folder: Path) -> Iterator[Swift]:
    """A Swift of one device in `folder`, until the block ends."""
    ports = {kind: free_port() for kind in ("account", "container", "object", "proxy")}
    (folder / "devices" / "disk").mkdir(parents=True)
    (folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = regatta\n")
    rings = [f"{kind}={port}" for kind, port in ports.items() if kind != "proxy"]
    script = Path(__file__).with_name("rings.py")
    subprocess.run([sys.executable, "-P", str(script), str(folder), *rings], check=True)
    processes = {}
    with ExitStack() as stack:
        for kind, port in ports.items():
            if kind == "proxy":
                continue
            config = folder / f"{kind}.conf"
            config.write_text(_STORAGE.format(port=port, folder=folder, kind=kind))
            processes[kind] = stack.enter_context(
                started(_command(kind, config), folder / f"{kind}.log")
            )
        for kind, process in processes.items():
            await_port(ports[kind], process, folder / f"{kind}.log")
        config = folder / "proxy.conf"
        config.write_text(_proxy(folder, ports["proxy"]))
        server = Swift(_command("proxy", config), ports["proxy"], folder / "proxy.log")
        stack.callback(server.kill)
        server.start()
        yield server


def _command(kind: str, config: Path) -> list[str]:
    program = Path(sys.executable).parent / f"swift-{kind}-server"
    return [sys.executable, str(program), str(config)]


def _proxy(folder: Path, port: int) -> str:
    named = {"s3api", "tempauth"}  # those that are told something
    plain = [name for name in _FILTERS.split() if name not in named]
    return _PROXY.format(
        port=port,
        folder=folder,
        filters=_FILTERS,
        user=ACCESS_KEY.replace(":", "_"),
        key=SECRET_KEY,
    ) + "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in plain)
