"""Checks that Paddle works here, and as fast as it can, by trying it in a worker's process."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

from cli.doctor.finding import Finding, Status
from cli.stack.devices import listed_gpus
from cli.stack.environment import environment, python_module
from config.settings import Settings

_SECONDS = 180.0
_TESTED = "3.2.2"
_INSTALL = f"pip install paddlepaddle=={_TESTED}"


def check_paddle(settings: Settings) -> Iterator[Finding]:
    """Yield what the probe says, see `worker.engines.paddle.probe`."""
    try:
        result = subprocess.run(
            python_module("worker.engines.paddle.probe"),
            env=environment(settings),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        answer = json.loads(result.stdout.strip().rpartition("\n")[2])
    except subprocess.TimeoutExpired:
        yield Finding("paddle", Status.FAILED, "hangs when it is tried", f"{_INSTALL} again")
    except ValueError:
        last = result.stderr.strip().rpartition("\n")[2] or f"exit code {result.returncode}"
        yield Finding("paddle", Status.FAILED, f"cannot be tried: {last}", _INSTALL)
    else:
        yield from judge(answer, listed_gpus())


def judge(answer: dict[str, Any], gpus: list[str]) -> Iterator[Finding]:
    """Yield what follows from a probe's answer and from the GPUs that the driver lists."""
    version = str(answer["version"])
    build = "for GPUs" if answer["gpu_build"] else "for CPUs"
    tested = version == _TESTED or answer["gpu_build"]
    yield Finding(
        "paddle",
        Status.OK if tested else Status.WARNING,
        f"paddlepaddle {version}, {build}",
        None if tested else f"{_INSTALL}: it is the version that Regatta is tested with",
    )
    yield _onednn(answer)
    yield _gpu(answer, gpus)
    yield _tensorrt(answer)


def _onednn(answer: dict[str, Any]) -> Finding:
    if answer["onednn_error"] is None:
        wrong = "; ".join(answer["onednn_wrong"])
        around = f", around oneDNN's kernels for: {wrong}" if wrong else ""
        return Finding("onednn", Status.OK, f"runs every kind of interpolation correctly{around}")
    return Finding(
        "onednn",
        # With a GPU, oneDNN does not matter.
        Status.WARNING if answer["gpus"] else Status.FAILED,
        f"cannot be used as it should: {answer['onednn_error']}; without it, inference is 3 to 15 "
        "times slower",
        f"{_INSTALL}: 3.3 and later fail on interpolations",
    )


def _gpu(answer: dict[str, Any], gpus: list[str]) -> Finding:
    if answer["gpus"]:
        return Finding("gpu", Status.OK, ", ".join(answer["gpus"]))
    if gpus and not answer["gpu_build"]:
        return Finding(
            "gpu",
            Status.WARNING,
            f"the driver lists {len(gpus)}, but this paddlepaddle is for CPUs",
            "install paddlepaddle-gpu in its place, or use the image for GPUs",
        )
    if answer["gpu_build"]:
        return Finding(
            "gpu",
            Status.FAILED,
            f"paddlepaddle is for GPUs, but finds none: {answer['gpu_error'] or 'no device'}",
            "check that `nvidia-smi` lists one, also in the container (`gpus: all`)",
        )
    return Finding("gpu", Status.SKIPPED, "none; the CPU does the work")


def _tensorrt(answer: dict[str, Any]) -> Finding:
    if answer["tensorrt"]:
        return Finding("tensorrt", Status.OK, f"TensorRT {answer['tensorrt']}")
    return Finding("tensorrt", Status.SKIPPED, str(answer["tensorrt_why"]))
