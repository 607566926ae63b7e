"""Brings results and truth together, and measures them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.near import did_you_mean
from core.tasks import CLASSIFY, DETECT, KEYPOINT, OCR, SEGMENT
from evaluation.answers import Answers
from evaluation.case import Case, Protocol
from evaluation.evaluation import Coverage, Evaluation, Scores
from evaluation.labels import paired
from evaluation.matching import Matching, match
from evaluation.metrics import classes, coco, segments, texts
from evaluation.things import Things
from evaluation.truth import Truth, Wanted
from evaluation.wording import some

MEASURED = (DETECT, KEYPOINT, CLASSIFY, SEGMENT, OCR)
"""The tasks whose results can be measured."""

KINDS = ("boxes", "masks")

_MOST = 255  # the largest number in a label map


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `takes_all` counts what is found in pictures without truth as wrong.

    `kind` is what to measure of detections; None for masks where both sides have them.
    """

    protocol: Protocol = field(default_factory=Protocol)
    mapping: Mapping[str, str] = field(default_factory=dict)
    takes_all: bool = False
    kind: str | None = None


def wanted_of(answers: Answers, kind: str | None) -> Wanted:
    """Return what is needed of a truth, to measure these results.

    Raises:
        UsageError: results of this task can't be measured.
    """
    if answers.task not in MEASURED:
        raise UsageError(
            f"results of the task {answers.task} cannot be measured",
            hint=f"those of {', '.join(MEASURED)} can",
        )
    if kind == "masks" and answers.things.segments is None:
        raise UsageError(f"{answers.model} finds no masks", hint="leave --kind out")
    return Wanted(
        segments=answers.things.segments is not None and kind != "boxes",
        keypoints=answers.task == KEYPOINT,
        texts=answers.task == OCR,
    )


def evaluate(
    answers: Answers,
    truth: Truth,
    question: Question,
    *,
    job: str,
    name: str,
    before: Sequence[str] = (),
) -> Evaluation:
    """Return how well results agree with a truth; the notes `before` come before its own.

    Raises:
        UsageError: the truth is not about such results, or about other pictures altogether.
    """
    _check_fit(answers, truth)
    if question.takes_all and answers.task in {CLASSIFY, SEGMENT}:
        raise UsageError(
            f"--all means nothing to results of the task {answers.task}",
            hint="without a truth, what a whole picture shows is neither right nor wrong",
        )
    found = match(truth.names, answers.items, has_stems=truth.has_stems)
    rows = np.unique(found.rows[found.rows >= 0])
    if not len(rows):
        example = (
            f"{truth.names[0]!r}, {answers.items[0]!r}" if truth.names else "it has no picture"
        )
        raise UsageError(
            f"no picture of the truth is an item of the job: {example}",
            hint="items are matched by their key, or by a base name that both have once",
        )
    asked = np.arange(len(answers.items)) if question.takes_all else rows
    notes = [*before, *truth.notes, *_picture_notes(answers, found, rows, question)]
    scores = _measured(answers, truth, found, asked, question, notes)
    without = ~answers.has_result[rows]
    return Evaluation(
        job=job,
        name=name,
        model=answers.model,
        task=answers.task,
        truth=truth.location,
        form=truth.form,
        coverage=Coverage(
            in_truth=len(truth.names),
            matched=len(rows),
            by_base_name=found.by_base,
            without_result=int(without.sum()),
            unknown=len(found.unknown),
            without_truth=len(answers.items) - len(rows),
        ),
        scores=scores,
        notes=(*notes, *scores.notes),
    )


def _check_fit(answers: Answers, truth: Truth) -> None:
    has = {
        DETECT: truth.has_places and truth.masks is None,
        KEYPOINT: truth.things.keypoints is not None and bool(truth.things.keypoints.any()),
        CLASSIFY: not truth.has_shares and truth.masks is None,
        SEGMENT: truth.masks is not None,
        OCR: truth.things.texts is not None,
    }
    needs = {
        DETECT: "boxes: COCO JSON, YOLO labels, CSV with x1,y1,x2,y2, or a job of that task",
        KEYPOINT: "keypoints: COCO JSON, or a job of that task",
        CLASSIFY: "labels: CSV with item,label, or a job of that task",
        SEGMENT: "label maps: a directory of PNGs, or a job of that task",
        OCR: "texts: CSV with item,text, COCO JSON with `text`, or a job of that task",
    }
    if not has[answers.task]:
        raise UsageError(
            f"{truth.location} ({truth.form}) is no truth about results of the task {answers.task}",
            hint=f"they are measured against {needs[answers.task]}",
        )


def _picture_notes(
    answers: Answers, found: Matching, rows: NDArray[np.int64], question: Question
) -> list[str]:
    notes = []
    if found.unknown:
        notes.append(
            f"pictures of the truth that the job has no row of: {len(found.unknown):,}, left out "
            f"({some(found.unknown)})"
        )
    lacking = [answers.items[row] for row in rows[~answers.has_result[rows]].tolist()]
    if lacking:
        notes.append(
            f"pictures without a result (in quarantine, or skipped): {len(lacking):,}; all that "
            f"the truth has there counts as missed ({some(lacking)})"
        )
    if more := len(answers.items) - len(rows):
        rule = "what is found there counts as wrong" if question.takes_all else "left out"
        notes.append(f"items that the truth is not about: {more:,}, {rule}")
    return notes


def _measured(
    answers: Answers,
    truth: Truth,
    found: Matching,
    asked: NDArray[np.int64],
    question: Question,
    notes: list[str],
) -> Scores:
    protocol = question.protocol
    task = answers.task
    true = _placed(truth, found, answers, notes)
    masks = {
        int(row): place
        for row, place in zip(found.rows, truth.masks or (), strict=False)
        if row >= 0
    }
    if task == SEGMENT:
        case = Case(
            answers, np.array(sorted(masks), np.int64), _segment_names(answers), true, true, masks
        )
        return segments.measure(case, protocol, _values(question.mapping))
    if task == CLASSIFY:
        said = _class_labels(answers)
        places = _label_places(truth, said, question, notes)
        case = Case(answers, asked, truth.labels, true, true, {})
        return classes.measure(case, protocol, dict(zip(said, places.tolist(), strict=True)))
    things = answers.things.take(np.isin(answers.things.image, asked))
    if task == OCR:
        one = np.zeros(len(things), np.int64)
        if things.texts is None:
            things = replace(things, texts=[], outlines=[])
        case = Case(answers, asked, ("text",), true, replace(things, label=one), {})
        return texts.measure(case, protocol, has_places=truth.has_places)
    labels, true, things = _same_labels(answers, truth, true, things, question, notes)
    case = Case(answers, asked, labels, true, things, {})
    if task == KEYPOINT:
        return coco.measure(coco.POSES, case, protocol)
    if _has_masks(case, question.kind, notes):
        if things.segments is None:
            case = replace(case, found=replace(things, segments=[]))
        return coco.measure(coco.MASKS, case, protocol)
    return coco.measure(coco.BOXES, case, protocol)


def _has_masks(case: Case, kind: str | None, notes: list[str]) -> bool:
    """Return whether masks are measured: where both sides have one of everything."""
    if kind == "boxes" or case.truth.segments is None or case.answers.things.segments is None:
        return False
    lacking = sum(mask is None for mask in case.truth.segments)
    said = sum(mask is None for mask in case.found.segments or ())
    if not lacking and not said:
        return True
    if kind == "masks":
        raise UsageError(f"{lacking or said:,} things have no mask", hint="--kind boxes")
    notes.append(f"things without a mask: {lacking or said:,}; so boxes are measured")
    return False


def _placed(truth: Truth, found: Matching, answers: Answers, notes: list[str]) -> Things:
    """Return the true things of pictures that the job has, counted as its rows, in pixels."""
    things = truth.things.take(found.rows[truth.things.image] >= 0)
    things = replace(things, image=found.rows[things.image])
    if not truth.has_shares:
        return things
    sizes = answers.sizes.astype(np.float64)
    known = sizes[(sizes > 0).all(axis=1)]
    lacking = (sizes == 0).any(axis=1)
    sizes[lacking] = np.median(known, axis=0) if len(known) else 1.0
    if guessed := int(lacking[things.image].sum()):
        notes.append(
            f"true boxes in pictures whose size is not known: {guessed:,}; their sizes are "
            "reckoned as in the middling picture"
        )
    scale = np.tile(sizes[things.image], 2)
    xywh = things.xywh * scale
    return replace(things, xywh=xywh, area=xywh[:, 2] * xywh[:, 3])


def _same_labels(
    answers: Answers,
    truth: Truth,
    true: Things,
    things: Things,
    question: Question,
    notes: list[str],
) -> tuple[tuple[str, ...], Things, Things]:
    """Return the classes that are measured, and both sides with places in them."""
    labels = truth.labels
    if answers.task == KEYPOINT:
        assert true.keypoints is not None
        posed = sorted({int(n) for n in true.label[true.keypoints.any(axis=(1, 2))]})
        true = true.take(np.isin(true.label, posed))
        new = np.full(len(labels), -1, np.int64)
        new[posed] = np.arange(len(posed))
        labels = tuple(labels[n] for n in posed)
        true = replace(true, label=new[true.label])
        if len(posed) == 1 and len(answers.labels) <= 1:  # whatever the two are called
            return labels, true, replace(things, label=np.zeros(len(things), np.int64))
    narrowed = replace(truth, labels=labels)
    places = _label_places(narrowed, answers.labels, question, notes, true, things)
    if len(things):
        moved = places[things.label]
        things = replace(things, label=moved).take(moved >= 0)
    return labels, true, things


def _label_places(
    truth: Truth,
    said: tuple[str, ...],
    question: Question,
    notes: list[str],
    true: Things | None = None,
    things: Things | None = None,
) -> NDArray[np.int64]:
    """Return the place of each said label among the true ones, and note what has no other side."""
    places = paired(truth.labels, said, question.mapping)
    counted = truth.things if true is None else true
    occurs = set(np.unique(counted.label).tolist())
    if absent := [name for name in question.mapping if name not in said]:
        notes.append(f"--map: no result has the class {some(absent)}")
    unfound = [
        name for n, name in enumerate(truth.labels) if n in occurs and n not in set(places.tolist())
    ]
    strange = [name for name, place in zip(said, places.tolist(), strict=True) if place < 0]
    if unfound:
        near = did_you_mean(unfound[0], strange)
        hint = f"; {near} --map '...={unfound[0]}' pairs them" if near else ""
        notes.append(
            f"classes of the truth that no result has: {len(unfound):,} ({some(unfound)}); they "
            f"count as missed{hint}"
        )
    if strange:
        lost = ""
        if things is not None and len(things):
            lost = f", {int((places[things.label] < 0).sum()):,} detections"
        rule = "count as wrong" if things is None else "left out, as in COCO's tools"
        notes.append(
            f"classes of results that the truth does not have: {len(strange):,} ({some(strange)})"
            f"{lost}: {rule}"
        )
    return places


def _class_labels(answers: Answers) -> tuple[str, ...]:
    labels: dict[str, None] = {}
    for row in answers.rows["classes"].to_pylist():
        labels |= dict.fromkeys(one["label"] for one in row or ())
    return tuple(labels)


def _segment_names(answers: Answers) -> tuple[str, ...]:
    names: dict[int, str] = {}
    for row in answers.rows["classes"].to_pylist():
        names |= {one["class_id"]: one["label"] for one in row or ()}
    return tuple(names.get(n, "") for n in range(max(names, default=-1) + 1))


def _values(mapping: Mapping[str, str]) -> dict[int, int]:
    """Return a mapping of label maps, whose classes are numbers.

    Raises:
        UsageError: one is no number from 0 to 255.
    """
    values = {}
    for model, truth in mapping.items():
        if not all(
            word.isascii() and word.isdigit() and int(word) <= _MOST for word in (truth, model)
        ):
            raise UsageError(
                f"--map {model}={truth}", hint="classes of label maps are numbers, 0 to 255"
            )
        values[int(model)] = int(truth)
    return values
