"""Paddle's configuration for each way of running a network on the CPU."""

from pathlib import Path
from typing import Any

from core.ways import Way
from worker.engines.paddle.doubts import doubted
from worker.engines.paddle.graph import read_graph
from worker.engines.paddle.vendor import paddle


def configuration(model_file: Path, params_file: Path, *, threads: int, way: Way) -> Any:
    """Return Paddle's `Config` for running a network in exactly this way.

    Raises:
        FatalError: the graph had to be inspected and is damaged.
    """
    config = paddle.inference.Config(str(model_file), str(params_file))
    config.disable_gpu()
    config.disable_glog_info()
    config.set_cpu_math_library_num_threads(threads)
    new_ir = model_file.suffix == ".json"
    if new_ir:
        # Memory optimization loads this format only under the new executor, which can't clone
        # predictors of the older format.
        config.enable_new_ir()
        config.enable_new_executor()
    config.enable_memory_optim()
    if way is Way.PLAIN:
        config.disable_mkldnn()  # 3.2.2 switches it on by itself
        return config
    # No capacity for its cache of kernels: with one, threads share the kernels, and what one of
    # them drops is missing where another runs, which ends the process.
    config.enable_mkldnn()
    if way is Way.ONEDNN_UNPLACED:
        if new_ir:
            # By now the fused convolutions are oneDNN's; whatever isn't fused stays with Paddle.
            config.delete_pass("onednn_placement_pass")
        else:
            # In the old IR the fusions need this pass, which in turn obeys a list of operators.
            config.set_mkldnn_op(_undoubted(model_file))
    return config


def _undoubted(model_file: Path) -> set[str]:
    """Return the operator types that oneDNN computes correctly everywhere in a graph."""
    operators = read_graph(model_file)
    doubts = {operator.type for operator, _ in doubted(operators, new_ir=False)}
    return {operator.type for operator in operators} - doubts
