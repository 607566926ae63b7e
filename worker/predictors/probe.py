"""Tries Paddle on this machine and answers in JSON: `python -P -m worker.predictors.probe`.

The answer: `version`; `gpu_build`; `gpus`, the names of those that Paddle sees, or `gpu_error`;
`tensorrt`, its version, or None and `tensorrt_why`; `onednn_error`, None if a small network with
an interpolation gives the right numbers under oneDNN.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from worker.predictors.vendor import paddle

_SIDE = 8


def main() -> int:
    """Print what was found as the last line of stdout."""
    answer: dict[str, Any] = {
        "version": paddle.__version__,
        "gpu_build": bool(paddle.device.is_compiled_with_cuda()),
        **_gpus(),
        **_tensorrt(),
        "onednn_error": _onednn_error(),
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


def _onednn_error() -> str | None:
    """Say what goes wrong with a network that doubles a picture's sides, or None."""
    picture = np.arange(3 * _SIDE * _SIDE, dtype=np.float32).reshape(1, 3, _SIDE, _SIDE)
    with tempfile.TemporaryDirectory(prefix="regatta-probe-") as folder:
        try:
            _export(Path(folder) / "model")
            found = _run(Path(folder), picture)
        except Exception as error:
            return _line(error)
    expected = _doubled(_doubled(picture, axis=2), axis=3)
    if found.shape != expected.shape or not np.allclose(found, expected, atol=1e-3):
        return "wrong numbers"
    return None


def _export(path: Path) -> None:
    paddle.enable_static()
    program = paddle.static.Program()
    with paddle.static.program_guard(program, paddle.static.Program()):
        image = paddle.static.data("image", [-1, 3, _SIDE, _SIDE], "float32")
        # A convolution that changes nothing, so that oneDNN has something to own.
        weight = paddle.static.create_parameter(
            [3, 3, 1, 1],
            "float32",
            default_initializer=paddle.nn.initializer.Assign(
                np.eye(3, dtype=np.float32)[:, :, None, None]
            ),
        )
        same = paddle.nn.functional.conv2d(image, weight)
        larger = paddle.nn.functional.interpolate(same, scale_factor=2.0, mode="bilinear")
        executor = paddle.static.Executor(paddle.CPUPlace())
        executor.run(paddle.static.default_startup_program())
        paddle.static.save_inference_model(str(path), [image], [larger], executor, program=program)


def _run(folder: Path, picture: Any) -> Any:
    graph = next(path for path in folder.iterdir() if path.suffix in {".json", ".pdmodel"})
    config = paddle.inference.Config(str(graph), str(graph.with_suffix(".pdiparams")))
    config.disable_gpu()
    config.disable_glog_info()
    config.enable_new_ir()
    config.enable_new_executor()
    config.enable_mkldnn()
    predictor = paddle.inference.create_predictor(config)
    predictor.get_input_handle(predictor.get_input_names()[0]).copy_from_cpu(picture)
    predictor.run()
    return predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()


def _doubled(array: Any, *, axis: int) -> Any:
    """Twice as many pixels along an axis, by linear interpolation between the middles of pixels."""
    length = array.shape[axis]
    at = np.clip((np.arange(2 * length) + 0.5) / 2 - 0.5, 0, length - 1)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, length - 1)
    shape = [1] * array.ndim
    shape[axis] = -1
    share = (at - low).reshape(shape).astype(np.float32)
    return np.take(array, low, axis) * (1 - share) + np.take(array, high, axis) * share


def _line(error: BaseException) -> str:
    """The line of Paddle's many that says what was wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "Error" in line or line.startswith("(")]
    return (telling or lines or [type(error).__name__])[-1][:300]


if __name__ == "__main__":
    sys.exit(main())
