from pathlib import Path

import pytest

from cli.stack.devices import CPU, find_devices, listed_gpus
from core.errors import UsageError


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, still empty; no device is hidden or shown by the environment."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return folder


def nvidia_smi(tools: Path, script: str) -> None:
    program = tools / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def pins(devices: str, driver: Path) -> list[tuple[str, str]]:
    found = find_devices(devices, driver)
    return [(device.name, device.environment["CUDA_VISIBLE_DEVICES"]) for device in found]


def test_auto_is_every_gpu_that_the_driver_lists(tools: Path, tmp_path: Path) -> None:
    nvidia_smi(tools, 'test "$*" = "--query-gpu=index --format=csv,noheader" && printf "0\\n1\\n"')
    assert pins("auto", tmp_path) == [("gpu0", "0"), ("gpu1", "1")]
    [first, _] = find_devices("auto", tmp_path)
    assert first.environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_auto_is_the_cpu_where_there_is_no_gpu(tools: Path, tmp_path: Path) -> None:
    assert find_devices("auto", tmp_path) == [CPU]
    assert CPU.environment == {"CUDA_VISIBLE_DEVICES": ""}


def test_without_the_tool_the_driver_s_own_list_counts(tools: Path, tmp_path: Path) -> None:
    for bus in ("0000:17:00.0", "0000:65:00.0"):
        (tmp_path / bus).mkdir()
        (tmp_path / bus / "information").touch()
    assert pins("auto", tmp_path) == [("gpu0", "0"), ("gpu1", "1")]


def test_a_driver_that_does_not_answer_lists_nothing(
    tools: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nvidia_smi(tools, "echo Failed to initialize NVML: Driver/library version mismatch; exit 18")
    assert listed_gpus(tmp_path) == []
    with pytest.raises(UsageError, match="there is no GPU 0: the driver lists no GPU"):
        find_devices("0", tmp_path)


def test_auto_keeps_to_what_the_environment_shows(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvidia_smi(tools, 'printf "0\\n1\\n2\\n"')
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-5f3a")
    assert pins("auto", tmp_path) == [("gpu2", "2"), ("gpuGPU-5f3a", "GPU-5f3a")]
    for nothing in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", nothing)
        assert find_devices("auto", tmp_path) == [CPU]


def test_numbers_are_the_driver_s(tools: Path, tmp_path: Path) -> None:
    nvidia_smi(tools, 'printf "0\\n1\\n"')
    assert pins("1, 0", tmp_path) == [("gpu1", "1"), ("gpu0", "0")]
    assert pins("01", tmp_path) == [("gpu1", "1")]
    assert find_devices("cpu", tmp_path) == [CPU]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("2", "there is no GPU 2: GPUs are 0, 1"),
        ("0,0", "GPU 0 is named twice"),
        ("0,cpu", "there is no device '0,cpu'"),
        ("", "there is no device ''"),
        ("-1", "there is no device '-1'"),
    ],
)
def test_what_is_not_there_is_refused(tools: Path, tmp_path: Path, wanted: str, said: str) -> None:
    nvidia_smi(tools, 'printf "0\\n1\\n"')
    with pytest.raises(UsageError, match=said):
        find_devices(wanted, tmp_path)
