"""A second engine for the same networks: ONNX Runtime, on what Paddle2ONNX makes of an export."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from vision.exports.exported import ExportedModel

_SCRIPT = Path(__file__).with_name("converting.py")
_SECONDS = 300


class NotConvertedError(Exception):
    """An export cannot run in ONNX Runtime; says why."""


def converted(export: ExportedModel, folder: Path) -> Path:
    """The export as an ONNX model in a folder.

    A child process makes it, as an operator that the converter does not know ends its process.

    Raises:
        NotConvertedError: there is no such model.
    """
    onnx = folder / "model.onnx"
    command = [sys.executable, _SCRIPT, export.model_file, export.params_file, onnx]
    try:
        done = subprocess.run(
            list(map(str, command)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotConvertedError(f"the conversion took more than {_SECONDS} s") from error
    if done.returncode or not onnx.is_file():
        lines = done.stdout.decode(errors="replace").splitlines()
        said = next((line for line in lines if "[ERROR]" in line), lines[-1] if lines else "")
        raise NotConvertedError(f"the converter ended with {done.returncode}: {said}")
    return onnx


class OnnxRuntime:
    """An ONNX model on one thread.

    Raises:
        NotConvertedError: it was converted into something that is no model.
    """

    def __init__(self, onnx: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(onnx), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors have no base class of their own
            raise NotConvertedError(str(error)) from error
        self.input_names = tuple(one.name for one in self._session.get_inputs())

    def predict(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Run one batch; a lone input is the image, whatever its name."""
        lone = len(self.input_names) == 1
        given = {name: feeds["image" if lone else name] for name in self.input_names}
        outputs: list[NDArray[Any]] = self._session.run(None, given)
        return outputs
