"""Another job's results as the truth: how well two jobs agree."""

import numpy as np

from core.tasks import CLASSIFY, OCR, SEGMENT
from evaluation.answers import Answers
from evaluation.things import Things
from evaluation.truth import Truth

VISIBLE = 0.2
"""The least score of a joint that counts as visible, as in pictures."""


def truth_of(answers: Answers, job: str, least: float) -> Truth:
    """Return the results of a job as a truth; those that score `least` or more.

    Pictures without a result are left out: nothing is known about them.
    """
    places = np.flatnonzero(answers.has_result)
    new = np.full(len(answers.items), -1, np.int64)
    new[places] = np.arange(len(places))
    names = [answers.items[place] for place in places.tolist()]
    form = f"results of a job, scores of {least:g} or more"
    things = answers.things
    if answers.task == CLASSIFY:
        things, labels = _best_classes(answers, places.tolist())
        return Truth(job, "the best class in a job's results", names, labels, things)
    if answers.task == SEGMENT:
        rows = answers.rows
        masks = [(rows["output"][p].as_py(), rows["mask"][p].as_py()) for p in places.tolist()]
        none = Things.of([], [])
        return Truth(job, "label maps of a job", names, (), none, masks=masks)
    things = things.take(np.flatnonzero((things.scores >= least) & (new[things.image] >= 0)))
    points = things.keypoints
    if points is not None:
        points = np.dstack([points[:, :, :2], np.where(points[:, :, 2] >= VISIBLE, 2.0, 0.0)])
    renamed = Things.of(
        *(new[things.image], things.label, things.xywh),
        keypoints=points,
        segments=things.segments,
        texts=things.texts,
        outlines=things.outlines,
    )
    labels = ("text",) if answers.task == OCR else answers.labels
    return Truth(job, form, names, labels, renamed)


def _best_classes(answers: Answers, places: list[int]) -> tuple[Things, tuple[str, ...]]:
    labels: dict[str, int] = {}
    images, classes = [], []
    for image, place in enumerate(places):
        said = answers.rows["classes"][place].as_py()
        if said:
            images.append(image)
            classes.append(labels.setdefault(said[0]["label"], len(labels)))
    return Things.of(images, classes), tuple(labels)
