"""Tries Paddle on this machine and reports in JSON: `python -m worker.engines.paddle.probe`.

The report has `version`; `gpu_build`; `gpus`, the names of the GPUs that Paddle sees, or
`gpu_error`; `tensorrt`, its version, or None and `tensorrt_why`; `onednn_error`, None if every kind
of interpolation gives the right numbers in the ways in which Regatta runs it and at least one of
them uses oneDNN; `onednn_wrong`, the kinds that oneDNN gets wrong when it runs everything (except
those that would end this process).
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import RegattaError
from core.profile import NetworkProfile
from core.ways import Way
from worker.engines.paddle.engine import load_predictor, offers, ways
from worker.engines.paddle.interpolations import INTERPOLATIONS, Interpolation, export_interpolation
from worker.engines.paddle.vendor import paddle


def main() -> int:
    """Print the report as the last line of stdout."""
    answer: dict[str, Any] = {
        "version": paddle.__version__,
        "gpu_build": bool(paddle.device.is_compiled_with_cuda()),
        **_gpus(),
        **_tensorrt(),
        **_onednn(),
    }
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    return 0


def _gpus() -> dict[str, Any]:
    if not paddle.device.is_compiled_with_cuda():
        return {"gpus": [], "gpu_error": None}
    try:
        number = paddle.device.cuda.device_count()
        names = [paddle.device.cuda.get_device_name(n) for n in range(number)]
    except Exception as error:
        return {"gpus": [], "gpu_error": _line(error)}
    return {"gpus": names, "gpu_error": None}


def _tensorrt() -> dict[str, Any]:
    compiled = paddle.inference.get_trt_compile_version()
    if not any(compiled):
        return {"tensorrt": None, "tensorrt_why": "this build of Paddle was made without TensorRT"}
    try:
        running = paddle.inference.get_trt_runtime_version()
    except Exception as error:
        return {"tensorrt": None, "tensorrt_why": f"its library cannot be loaded: {_line(error)}"}
    if not any(running):
        return {"tensorrt": None, "tensorrt_why": "its library, libnvinfer, is not installed"}
    return {"tensorrt": ".".join(map(str, running)), "tensorrt_why": None}


def _onednn() -> dict[str, Any]:
    """Try every kind of interpolation in every allowed way, and on oneDNN alone."""
    error, wrong = None, []
    with tempfile.TemporaryDirectory(prefix="regatta-probe-") as folder:
        for number, kind in enumerate(INTERPOLATIONS):
            graph = export_interpolation(kind, Path(folder) / str(number))
            faster = ways(graph)
            faults = [_fault(kind, graph, way) for way in (*faster, Way.PLAIN)]
            if not faster:
                faults.append("nothing but Paddle's own kernels is left")
            error = error or next((f"{kind.name}: {fault}" for fault in faults if fault), None)
            if not kind.deadly and Way.ONEDNN not in faster and _fault(kind, graph, Way.ONEDNN):
                wrong.append(kind.name)
    return {"onednn_error": error, "onednn_wrong": wrong}


def _fault(kind: Interpolation, graph: Path, way: Way) -> str | None:
    """Return what goes wrong with a program when it runs in one way, or None."""
    profile = NetworkProfile(offers()[0].offer, batch_size=1)
    feeds = kind.feeds(batch=1)
    try:
        network = load_predictor(graph, graph.with_suffix(".pdiparams"), profile=profile, way=way)
        found = network.predict(feeds)
    except RegattaError as error:
        return str(error)
    expected = kind.truth(feeds)
    # The values are small, each a sum of a few products.
    right = all(np.allclose(a, b, atol=1e-4) for a, b in zip(found, expected, strict=True))
    return None if right else f"wrong numbers ({way})"


def _line(error: BaseException) -> str:
    """Return the one line of Paddle's message that says what went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "Error" in line or line.startswith("(")]
    return (telling or lines or [type(error).__name__])[-1][:300]


if __name__ == "__main__":
    sys.exit(main())
