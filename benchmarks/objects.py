"""Compares boto3 and obstore in the workers' object store: gets per second and CPU per get.

    python -m benchmarks.objects [--endpoint URL --bucket NAME] [--objects 500] [--rounds 5]
                                 [--threads 8] [--json FILE]

Objects of 50 to 100 kB of noise are put into a bucket of their own and read by both in turn,
`--rounds` times, so that a machine whose speed drifts treats them alike; medians are printed, and
the range of the ratios. Without an endpoint, a moto server is started, whose work on the same cores
limits the rate; the CPU seconds of this process are still valid. With one, the bucket must exist,
credentials come from the usual places, and the objects are deleted afterwards.
"""

import argparse
import json
import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from store.s3.client import s3_client
from store.s3.location import S3Location
from store.s3.options import S3Options
from store.s3.store import S3Objects
from tests.buckets.motoserver import moto
from tests.buckets.server import ACCESS_KEY, SECRET_KEY

READERS = ("boto3", "obstore")
PREFIX = "regatta-benchmark/"


@dataclass(frozen=True)
class Measured:
    gets_per_second: float
    cpu_ms_per_get: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.objects", description=__doc__)
    parser.add_argument("--endpoint")
    parser.add_argument("--bucket", default="regatta-benchmark")
    parser.add_argument("--objects", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--json", type=Path)
    told = parser.parse_args(arguments)
    with _server(told.endpoint, told.bucket) as server:
        options = replace(server, connections=told.threads)
        stores = {
            reader: S3Objects(S3Location(told.bucket, PREFIX), replace(options, reader=reader))
            for reader in READERS
        }
        with ThreadPoolExecutor(told.threads) as pool:
            etags = _fill(stores["boto3"], told.objects, pool)
            try:
                for store in stores.values():  # sets up connections and threads
                    _measure(store, dict(list(etags.items())[:100]), pool)
                rounds = [
                    {reader: _measure(store, etags, pool) for reader, store in stores.items()}
                    for _ in range(told.rounds)
                ]
            finally:
                list(pool.map(stores["boto3"].delete, etags))
    _print(rounds)
    if told.json:
        told.json.write_text(
            json.dumps(
                {
                    "endpoint": told.endpoint or "moto",
                    "objects": told.objects,
                    "threads": told.threads,
                    "cores": len(os.sched_getaffinity(0)),
                    "rounds": [{name: asdict(m) for name, m in turn.items()} for turn in rounds],
                },
                indent=2,
            )
        )


@contextmanager
def _server(endpoint: str | None, bucket: str) -> Iterator[S3Options]:
    if endpoint is not None:
        yield S3Options(endpoint_url=endpoint, addressing="path")
        return
    os.environ |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    with tempfile.TemporaryDirectory() as folder, moto(Path(folder)) as server:
        s3_client(server.options()).create_bucket(Bucket=bucket)
        yield server.options()


def _fill(store: S3Objects, count: int, pool: ThreadPoolExecutor) -> dict[str, str]:
    """Put the objects and return their etags by key."""
    rng = random.Random(1)
    sizes = {f"{number:06d}.jpg": rng.randrange(50_000, 100_000) for number in range(count)}
    list(pool.map(lambda key: store.put(key, rng.randbytes(sizes[key])), sizes))
    return {info.key: info.etag for info in store.list()}


def _measure(store: S3Objects, etags: dict[str, str], pool: ThreadPoolExecutor) -> Measured:
    def get(key: str) -> int:
        return len(store.get(key, if_match=etags[key], max_bytes=1_000_000))

    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    assert all(pool.map(get, etags))
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(len(etags) / wall, 1000 * cpu / len(etags))


def _print(rounds: Sequence[dict[str, Measured]]) -> None:
    print(f"{'reader':<10}{'gets/s':>10}{'ms CPU/get':>14}   median of {len(rounds)} rounds")
    for reader in READERS:
        rate = statistics.median(turn[reader].gets_per_second for turn in rounds)
        cpu = statistics.median(turn[reader].cpu_ms_per_get for turn in rounds)
        print(f"{reader:<10}{rate:>10.0f}{cpu:>14.2f}")
    rates = [turn["obstore"].gets_per_second / turn["boto3"].gets_per_second for turn in rounds]
    cpus = [turn["boto3"].cpu_ms_per_get / turn["obstore"].cpu_ms_per_get for turn in rounds]
    print(f"obstore reads {_range(rates)} times as many, with {_range(cpus)} times less CPU a get")


def _range(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"


if __name__ == "__main__":
    main()
