"""Runs PaddleDetection's `deploy/python/infer.py` unchanged, and prints how long its images took.

    python official_side.py CHECKOUT/deploy/python/infer.py [its options]

`benchmarks.official` starts it with the Python of PaddleDetection's own environment. Seconds of
wall and CPU time count from when the model is loaded until its `main` has ended. Two changes in
Paddle 3 that `infer.py` doesn't know are worked around: `enable_memory_optim` refuses new exports
unless the new executor is on, and oneDNN is on unless it is switched off.
"""

import runpy
import sys
import time
from pathlib import Path
from typing import Any

import paddle.inference

_loaded: list[tuple[float, float]] = []
_create = paddle.inference.create_predictor
_optimize = paddle.inference.Config.enable_memory_optim


def _create_and_note(config: Any) -> Any:
    if "--enable_mkldnn=True" not in sys.argv:
        config.disable_mkldnn()
    predictor = _create(config)
    _loaded.append((time.perf_counter(), time.process_time()))
    return predictor


def _optimize_with_new_executor(config: Any, *values: Any) -> None:
    config.enable_new_ir()
    config.enable_new_executor()
    _optimize(config, *values)


def main() -> int:
    script = Path(sys.argv[1])
    sys.argv = [str(script), *sys.argv[2:]]
    sys.path.insert(0, str(script.parent))
    vars(paddle.inference)["create_predictor"] = _create_and_note
    config: Any = paddle.inference.Config
    config.enable_memory_optim = _optimize_with_new_executor
    runpy.run_path(str(script), run_name="__main__")
    wall, cpu = _loaded[0]
    print(f"\nseconds: {time.perf_counter() - wall:.3f} {time.process_time() - cpu:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
