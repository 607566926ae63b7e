import json
import subprocess

from cli.doctor.paddle import judge
from cli.stack.environment import python_module


def test_the_installed_paddle_runs_every_interpolation_correctly() -> None:
    result = subprocess.run(
        python_module("worker.engines.paddle.probe"), capture_output=True, text=True, check=True
    )
    answer = json.loads(result.stdout.strip().rpartition("\n")[2])
    assert answer["onednn_error"] is None
    # That of 3.2.2: where a newer one mends a kernel, `worker.engines.paddle.doubts` can say so.
    assert answer["onednn_wrong"] == [
        "bilinear, align_corners",
        "bilinear, align_mode 1",
        "bilinear, down to 1",
        "nearest, by no whole number",
    ]
    assert answer["gpu_error"] is None
    found = {each.check: each.status for each in judge(answer, [])}
    assert (found["paddle"], found["onednn"]) == ("ok", "ok")
