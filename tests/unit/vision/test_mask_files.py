"""Masks come back from their files as they were."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.errors import BadInputError
from core.options import DrawOptions
from core.tasks import TASK, TASKS
from predictions.answer import NO_LEGEND, Answer, Legend
from vision.draw.by_task import decode_mask_of, draw, encode_mask_of

MASKED = [task for task in TASKS if TASK[task].has_masks]
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))


def masks(task: str) -> st.SearchStrategy[Any]:
    if task == "panoptic":
        return arrays(np.int32, SIZES, elements=st.integers(0, 2**24 - 1))
    return arrays(np.uint8, SIZES)


@pytest.mark.parametrize("task", MASKED)
@given(st.data())
def test_a_mask_is_read_as_it_was_written(task: str, data: st.DataObject) -> None:
    mask = data.draw(masks(task))
    read = decode_mask_of(task, encode_mask_of(task, mask))
    assert read.dtype == mask.dtype
    assert np.array_equal(read, mask)


@pytest.mark.parametrize("task", MASKED)
def test_damaged_masks_and_those_of_other_tasks_are_refused(task: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (40, 40))
    png = encode_mask_of(task, noise.astype(np.int32 if task == "panoptic" else np.uint8))
    for broken in (b"", b"no PNG", png[: len(png) // 2]):
        with pytest.raises(BadInputError, match="mask is unreadable"):
            decode_mask_of(task, broken)
    for other in set(MASKED) - {task}:
        with pytest.raises(BadInputError, match="a PNG of kind"):
            decode_mask_of(other, png)


@pytest.mark.parametrize("task", MASKED)
def test_a_mask_of_another_picture_is_refused(task: str) -> None:
    answer = Answer(mask=np.zeros((4, 5), np.uint8))
    with pytest.raises(BadInputError, match="not as large") as refused:
        draw(task, np.zeros((4, 6, 3), np.uint8), answer, DrawOptions(jpeg_quality=90))
    assert refused.value.reason == "decode_failed"


def test_legends_are_read_as_they_were_written_and_by_older_versions() -> None:
    for legend in (NO_LEGEND, Legend(0), Legend(7)):
        assert Legend.from_json(legend.to_json()) == legend
    assert Legend.from_json({"background": 3, "something newer": True}) == Legend(3)
    assert Legend.from_json({}) == NO_LEGEND
