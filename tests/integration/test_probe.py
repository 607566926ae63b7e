import json
import subprocess

from cli.check_paddle import judge
from cli.environment import python_module


def test_the_installed_paddle_runs_an_interpolation_under_onednn() -> None:
    result = subprocess.run(
        python_module("worker.predictors.probe"), capture_output=True, text=True, check=True
    )
    answer = json.loads(result.stdout.strip().rpartition("\n")[2])
    assert answer["onednn_error"] is None
    assert answer["gpu_error"] is None
    found = {each.check: each.status for each in judge(answer, [])}
    assert (found["paddle"], found["onednn"]) == ("ok", "ok")
