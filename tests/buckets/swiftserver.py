"""OpenStack Swift with its S3 API: an object store that nobody here wrote."""

import subprocess
import sys
from collections.abc import Iterator
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


@contextmanager
def swift(folder: Path) -> Iterator[Server]:
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
            config = folder / f"{kind}.conf"
            if kind == "proxy":
                config.write_text(_proxy(folder, port))
            else:
                config.write_text(_STORAGE.format(port=port, folder=folder, kind=kind))
            server = Path(sys.executable).parent / f"swift-{kind}-server"
            command = [sys.executable, str(server), str(config)]
            processes[kind] = stack.enter_context(started(command, folder / f"{kind}.log"))
        for kind, process in processes.items():
            await_port(ports[kind], process, folder / f"{kind}.log")
        yield Server(f"http://127.0.0.1:{ports['proxy']}")


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
