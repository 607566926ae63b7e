"""Leaves out of an answer what is not of certain classes."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from core.tasks import PANOPTIC, WITH_CLASSES
from predictions.answer import Answer


def only_classes(task: str, answer: Answer, labels: Collection[str] | None) -> Answer:
    """Return what an answer says about classes with these labels; all of it for None.

    Shares stay those of the whole picture. A segmentation's mask stays whole; that of panoptic
    segments loses the pixels of those left out, as its format asks. Tasks without classes of their
    own (poses, lines, alpha) keep everything.
    """
    if labels is None or task not in WITH_CLASSES:
        return answer
    found, classes, segments, mask = (
        answer.detections,
        answer.classes,
        answer.segments,
        answer.mask,
    )
    if found is not None:
        found = found.select(np.array([name in labels for name in found.names], np.bool_))
    if classes is not None:
        classes = tuple(one for one in classes if one.label in labels)
    if segments is not None:
        segments = tuple(one for one in segments if one.label in labels)
    if task == PANOPTIC and mask is not None and segments is not None:
        mask = np.where(np.isin(mask, [one.id for one in segments]), mask, mask.dtype.type(0))
    return replace(answer, detections=found, classes=classes, segments=segments, mask=mask)
