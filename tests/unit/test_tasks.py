"""Each task is complete: everything that a model for it needs is registered under its name."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from core.messages import MEDIA_QUEUE, QUEUES
from core.tasks import (
    CLASSIFY,
    DETECT,
    KEYPOINT,
    MATTING,
    PANOPTIC,
    ROLES,
    SEGMENT,
    TASK,
    TASKS,
    TEXT_DET,
    TEXT_REC,
    task_of,
)
from sample.shipped import MODELS
from vision.draw.by_task import DRAWERS
from vision.exports.export import read_export
from worker.networks.by_task import NETWORKS
from worker.recipes.by_model import COMPOSED

PARTS = {role.task for roles in ROLES.values() for role in roles}
DEPLOYS = {
    MATTING: [{"type": "LoadImages"}],
    PANOPTIC: [{"type": "Normalize"}, {"type": "Collect", "keys": ["img"]}],
}


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_drawn_and_its_files_are_those_it_says(task: str) -> None:
    drawer = DRAWERS[task]
    assert (drawer.mask_file is not None) == TASK[task].has_masks
    assert (drawer.cut_out is not None) == TASK[task].has_cutouts


@pytest.mark.parametrize("task", TASKS)
def test_a_task_has_a_queue_and_a_noun(task: str) -> None:
    assert TASK[task].queue in QUEUES
    assert task_of(task).noun.isalpha()


@pytest.mark.parametrize("task", TASKS)
def test_a_task_has_a_network_or_is_composed_of_some(task: str) -> None:
    roles = ROLES.get(task, ())
    assert task in NETWORKS or roles
    assert (task in COMPOSED) == bool(roles)
    assert all(role.task in NETWORKS for role in roles)


@pytest.mark.parametrize("task", sorted(NETWORKS))
def test_a_network_has_exports_that_are_read(task: str, tmp_path: Path) -> None:
    if task in MODELS:
        assert read_export(MODELS[task].directory).task == task
        return
    config: dict[str, Any] = {"Deploy": {"transforms": DEPLOYS[task]}}
    (tmp_path / "deploy.yaml").write_text(yaml.safe_dump(config))
    for name in ("model.pdmodel", "model.pdiparams"):
        (tmp_path / name).touch()
    assert read_export(tmp_path).task == task


def test_nothing_is_registered_that_is_no_task() -> None:
    assert set(DRAWERS) == set(TASKS)
    assert set(NETWORKS) <= {*TASKS, *PARTS}
    assert set(COMPOSED) == set(ROLES)
    assert {CLASSIFY, DETECT, KEYPOINT, SEGMENT} <= set(NETWORKS)
    assert PARTS - set(TASKS) == {TEXT_DET, TEXT_REC}
    assert set(QUEUES) == {*TASKS, MEDIA_QUEUE}


def test_a_task_of_a_newer_version_has_detections() -> None:
    assert task_of("lidar").noun == "detection"
