"""Finds the devices that workers are pinned to, without waking any of them up.

CUDA must not be initialised here: it would hold memory on every GPU, and children could not use
CUDA after a fork. The driver's own tool and /proc say what there is.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from core.errors import UsageError

_ASK = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
_ASK_SECONDS = 30.0  # the first call may load the driver
_DRIVER = Path("/proc/driver/nvidia/gpus")
_VISIBLE = "CUDA_VISIBLE_DEVICES"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Device:
    """One device: its name in logs, and the environment that shows it alone to a process."""

    name: str
    environment: Mapping[str, str]


CPU = Device("cpu", {_VISIBLE: ""})


def find_devices(wanted: str, driver: Path = _DRIVER) -> list[Device]:
    """Return the devices that `wanted` means.

    `cpu`; or the driver's numbers, with commas; or `auto`: the GPUs that CUDA_VISIBLE_DEVICES
    names if it is set, else all that the driver lists, else the CPU.

    Raises:
        UsageError: it is none of these, or names a device twice, or one that does not exist.
    """
    if wanted == "cpu":
        return [CPU]
    if wanted == "auto":
        visible = os.environ.get(_VISIBLE)
        names = listed_gpus(driver) if visible is None else _split(visible)
        return [_gpu(name) for name in names] or [CPU]
    names = _split(wanted)
    if not names or not all(name.isdecimal() for name in names):
        raise UsageError(
            f"there is no device {wanted!r}", hint="give auto, cpu, or numbers of GPUs: 0,1"
        )
    names = [str(int(name)) for name in names]
    listed = listed_gpus(driver)
    for name in names:
        if name not in listed:
            there = f"GPUs are {', '.join(listed)}" if listed else "the driver lists no GPU"
            raise UsageError(f"there is no GPU {name}: {there}", hint="`nvidia-smi` lists them")
        if names.count(name) > 1:
            raise UsageError(f"GPU {name} is named twice", hint="a device has one worker process")
    return [_gpu(name) for name in names]


def listed_gpus(driver: Path = _DRIVER) -> list[str]:
    """Return the numbers of the GPUs that the driver lists."""
    try:
        answer = subprocess.run(
            _ASK, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False
        )
    except FileNotFoundError:
        # Some containers have the driver without its tool. Its numbers are in this order.
        return [str(number) for number, _ in enumerate(driver.glob("*/information"))]
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("nvidia-smi cannot be asked for GPUs", error=str(error))
        return []
    if answer.returncode:
        said = (answer.stdout + answer.stderr).strip().partition("\n")[0]
        _log.warning("nvidia-smi lists no GPUs", code=answer.returncode, said=said)
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip().isdecimal()]


def _gpu(name: str) -> Device:
    # CUDA's own order is by speed; the driver's tool counts by bus, which is what people use.
    return Device(f"gpu{name}", {_VISIBLE: name, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"})


def _split(words: str) -> list[str]:
    return [word.strip() for word in words.split(",") if word.strip() not in {"", "-1"}]
