"""Converts one Paddle graph into an ONNX model.

python converting.py GRAPH PARAMS ONNX
"""

import os
import sys


def main() -> int:
    graph, params, onnx = sys.argv[1:]
    # Its optimizer would install packages at run time.
    os.environ["POLYGRAPHY_AUTOINSTALL_DEPS"] = "0"
    import paddle2onnx  # noqa: PLC0415 - it reads the environment

    paddle2onnx.export(graph, params, onnx, opset_version=16, optimize_tool="None")
    return 0


if __name__ == "__main__":
    sys.exit(main())
