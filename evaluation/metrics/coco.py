"""COCO's own measures of boxes, masks and poses.

Source: `cocoeval.py` of https://github.com/cocodataset/cocoapi, whose numbers these equal. hotcoco
does the work, in a fortieth of the time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import hotcoco
import numpy as np
from hotcoco.mask import area as areas_of
from numpy.typing import NDArray

from core.errors import UsageError
from evaluation.case import Case, Protocol, item_of
from evaluation.evaluation import (
    Cell,
    Chart,
    Confusion,
    Curve,
    Mark,
    Measure,
    Scores,
    Table,
    Worst,
    worst_first,
)
from evaluation.things import Things

BOXES, MASKS, POSES = "bbox", "segm", "keypoints"

COCO_JOINTS = 17
UNIFORM_SIGMA = 0.066
"""How far off a joint may be where nothing is said: the mean of COCO's seventeen."""

_CHUNK = 5_000  # pictures whose pairs are looked at in one go: their records take memory
_USUAL = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())
_CURVES_SHOWN = 12
_SAME = 1e-9
_IGNORED, _WRONG, _RIGHT = -1, 0, 1
_CONFUSED_MOST = 60  # classes; a larger table can't be read, and JSON has the tables per class


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Which things were found, at the least IoU that is asked for.

    `found` int8 (N,) is 1 for a right detection, 0 for a wrong one, -1 for one that doesn't count;
    `truth_score` float64 (M,) is the score of the detection that found a true thing, -1 if none
    did, NaN if it doesn't count.
    """

    found: NDArray[np.int8]
    truth_score: NDArray[np.float64]


def measure(kind: str, case: Case, protocol: Protocol) -> Scores:
    """Return the scores of boxes, masks or poses."""
    truth, found = case.truth, case.found
    sigmas = _sigmas(case, protocol) if kind == POSES else ()
    run = _Run(kind, case, protocol, sigmas)
    whole = run.summed(truth, found, case.rows)
    pairs = _paired(run, case)
    score = protocol.score if protocol.score is not None else _best_score(pairs, found)
    kept = found.scores >= score
    measures = [*_measures(kind, run, whole), *_at_score(pairs, kept, score)]
    confusion = _confusion(run, case, pairs, score) if kind != POSES else None
    return Scores(
        measures=tuple(measures),
        tables=(_per_class(run, whole, case, pairs, kept, score), _per_size(run, whole, case)),
        charts=_charts(run, whole, case),
        confusion=confusion,
        worst=_worst(case, pairs, kept, score),
        protocol=_protocol(kind, run, score, chosen=protocol.score is not None),
        notes=_notes(run, case),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """COCO's arrays; -1 stands for what could not be computed.

    `precision` is [IoU, recall, class, size, most detections], `recall` the same without recall.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]


class _Run:
    """One kind of measuring with its parameters."""

    def __init__(self, kind: str, case: Case, protocol: Protocol, sigmas: Sequence[float]) -> None:
        self.kind = kind
        self.labels = case.labels
        self.ious = protocol.ious or _USUAL
        self.is_usual = protocol.ious is None
        self.sigmas = sigmas
        self.sizes = case.answers.sizes
        self.params = hotcoco.Params(kind)
        self.most = self.params.max_dets[-1]
        self.areas = tuple(zip(self.params.area_rng_lbl, self.params.area_rng, strict=True))

    def evaluated(self, truth: Things, found: Things, rows: NDArray[np.int64]) -> Any:
        """Return COCO's evaluation of these things in these pictures."""
        run = hotcoco.COCOeval(*self.data(truth, found, rows), self.kind)
        params = run.params
        if not self.is_usual:
            params.iou_thrs = list(self.ious)
        if self.sigmas:
            params.kpt_oks_sigmas = list(self.sigmas)
        run.evaluate()
        run.accumulate()
        return run

    def summed(self, truth: Things, found: Things, rows: NDArray[np.int64]) -> "_Sums":
        """Return what COCO's evaluation adds up to; all records of it are let go."""
        sums = self.evaluated(truth, found, rows).eval
        return _Sums(np.asarray(sums["precision"]), np.asarray(sums["recall"]))

    def data(self, truth: Things, found: Things, rows: NDArray[np.int64]) -> tuple[Any, Any]:
        """Return both sides as data sets whose annotations are numbered from 1, in order."""
        images = [
            {"id": row + 1, "width": int(self.sizes[row, 0]), "height": int(self.sizes[row, 1])}
            for row in rows.tolist()
        ]
        classes = [{"id": n, "name": name} for n, name in enumerate(self.labels, 1)]
        if self.kind == POSES:
            return self._poses(truth, found, images, classes)
        segments = truth.segments if self.kind == MASKS else None
        true = hotcoco.COCO.from_arrays(
            images,
            classes,
            truth.image + 1,
            truth.label + 1,
            truth.xywh,
            ids=np.arange(1, len(truth) + 1),
            area=truth.area,
            iscrowd=truth.crowd.astype(np.int64),
            segmentation=None if segments is None else list(segments),
        )
        columns = (found.image + 1, found.xywh, found.scores, found.label + 1)
        said = np.column_stack(columns).astype(np.float64)
        if self.kind != MASKS:
            return true, true.load_res(said)
        masks = list(found.segments or ())
        results = true.load_res(said, segmentation=masks)
        if masks:  # their sizes are those of masks, not of boxes
            results.update_anns(ids=np.arange(1, len(masks) + 1), area=areas_of(masks))
        return true, results

    def _poses(
        self, truth: Things, found: Things, images: list[Any], classes: list[Any]
    ) -> tuple[Any, Any]:
        assert truth.keypoints is not None
        joints = truth.keypoints
        counts = (joints[:, :, 2] > 0).sum(axis=1)
        annotations = [
            {
                "id": place + 1,
                "image_id": int(truth.image[place]) + 1,
                "category_id": int(truth.label[place]) + 1,
                "bbox": truth.xywh[place].tolist(),
                "area": float(truth.area[place]),
                "iscrowd": int(truth.crowd[place]),
                "keypoints": joints[place].ravel().tolist(),
                "num_keypoints": int(counts[place]),
            }
            for place in range(len(truth))
        ]
        true = hotcoco.COCO({"images": images, "annotations": annotations, "categories": classes})
        said = found.keypoints if found.keypoints is not None else np.zeros((0, 1, 3))
        poses = [
            {
                "image_id": int(found.image[place]) + 1,
                "category_id": int(found.label[place]) + 1,
                "keypoints": said[place].ravel().tolist(),
                "score": float(found.scores[place]),
            }
            for place in range(len(found))
        ]
        return true, true.load_res(poses or np.zeros((0, 7)))


def _sigmas(case: Case, protocol: Protocol) -> tuple[float, ...]:
    assert case.truth.keypoints is not None
    joints = case.truth.keypoints.shape[1]
    said = joints if case.found.keypoints is None else case.found.keypoints.shape[1]
    if said != joints:
        raise UsageError(
            f"the truth has {joints} joints, the model's poses have {said}",
            hint="both have to be of one skeleton",
        )
    if protocol.sigmas is not None:
        if len(protocol.sigmas) != joints:
            raise UsageError(f"{len(protocol.sigmas)} sigmas for {joints} joints")
        return protocol.sigmas
    return () if joints == COCO_JOINTS else (UNIFORM_SIGMA,) * joints


def _paired(run: _Run, case: Case) -> Pairs:
    """Return what found what, some pictures at a time."""
    truth, found = case.truth, case.found
    marks = np.full(len(found), _IGNORED, np.int8)
    scores = np.full(len(truth), np.nan)
    rows = np.sort(case.rows)
    true_order, found_order = (np.argsort(t.image, kind="stable") for t in (truth, found))
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        bounds = [chunk[0], chunk[-1] + 1]
        mine, theirs = (
            order[slice(*np.searchsorted(things.image[order], bounds))]
            for things, order in ((truth, true_order), (found, found_order))
        )
        if not len(mine) and not len(theirs):
            continue
        part = run.evaluated(truth.take(mine), found.take(theirs), chunk)
        seen = part.image_diagnostics(iou_thr=min(run.ious), score_thr=0.0)
        for number, status in seen["dt_status"].items():
            marks[theirs[number - 1]] = _RIGHT if status == "tp" else _WRONG
        for number, status in seen["gt_status"].items():
            if status == "fn":
                scores[mine[number - 1]] = -1.0
        for number, by in seen["gt_match"].items():
            scores[mine[number - 1]] = found.scores[theirs[by - 1]]
    return Pairs(marks, scores)


def _best_score(pairs: Pairs, found: Things) -> float:
    """Return the score from which on F1 is best, over all classes; 0 if nothing is right."""
    counted = pairs.found != _IGNORED
    scores, right = found.scores[counted], pairs.found[counted] == _RIGHT
    things = int((~np.isnan(pairs.truth_score)).sum())
    if not right.any():
        return 0.0
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + things)
    last = np.append(scores[order][1:] != scores[order][:-1], True)  # equal scores come together
    return float(scores[order][np.argmax(np.where(last, f1, -1))])


def _mean(values: Any) -> float | None:
    """Return the mean of what could be computed, as COCO's `_summarizeDets` does."""
    there = np.asarray(values)
    there = there[there > -1]
    return float(there.mean()) if there.size else None


def _precision(
    run: _Run, whole: _Sums, *, iou: float | None = None, area: int = 0, label: int | None = None
) -> float | None:
    return _mean(_cut(run, whole.precision, iou, label, axis=2)[..., area, -1])


def _recall(
    run: _Run,
    whole: _Sums,
    *,
    iou: float | None = None,
    area: int = 0,
    label: int | None = None,
    most: int = -1,
) -> float | None:
    return _mean(_cut(run, whole.recall, iou, label, axis=1)[..., area, most])


def _cut(
    run: _Run, values: NDArray[np.float64], iou: float | None, label: int | None, *, axis: int
) -> NDArray[np.float64]:
    if label is not None:
        values = values.take([label], axis=axis)
    return values if iou is None else values[[_place(run, iou)]]


def _place(run: _Run, iou: float) -> int:
    return int(np.argmin([abs(each - iou) for each in run.ious]))


def _has(run: _Run, iou: float) -> bool:
    return any(abs(each - iou) < _SAME for each in run.ious)


def _range(run: _Run) -> str:
    low, high = min(run.ious), max(run.ious)
    return f"{low:.2f}" if len(run.ious) == 1 else f"{low:.2f}:{high:.2f}"


_UNITS = {BOXES: "boxes", MASKS: "masks", POSES: "poses"}


def _measures(kind: str, run: _Run, whole: _Sums) -> list[Measure]:
    """Return COCO's twelve numbers of boxes and masks, or ten of poses."""
    like = "OKS" if kind == POSES else "IoU"
    unit = _UNITS[kind]
    measures = [
        Measure("AP", _precision(run, whole), f"average precision of {unit}, {like} {_range(run)}")
    ]
    named = [iou for iou in (0.5, 0.75) if _has(run, iou)]
    measures += [
        Measure(f"AP{iou * 100:.0f}", _precision(run, whole, iou=iou), f"at {like} {iou:.2f}")
        for iou in named
    ]
    sized = list(enumerate(name for name, _ in run.areas))[1:]
    measures += [
        Measure(f"AP_{name}", _precision(run, whole, area=place), f"of {name} things")
        for place, name in sized
    ]
    if kind == POSES:
        measures.append(Measure("AR", _recall(run, whole), f"average recall, {run.most} a picture"))
        measures += [
            Measure(f"AR{iou * 100:.0f}", _recall(run, whole, iou=iou), f"at {like} {iou:.2f}")
            for iou in named
        ]
    else:
        measures += [
            Measure(
                f"AR{most}",
                _recall(run, whole, most=place),
                f"average recall with {most} a picture and class",
            )
            for place, most in enumerate(run.params.max_dets)
        ]
    measures += [
        Measure(f"AR_{name}", _recall(run, whole, area=place), f"of {name} things")
        for place, name in sized
    ]
    return measures


def _at_score(pairs: Pairs, kept: NDArray[np.bool_], score: float) -> list[Measure]:
    numbers = _counted(pairs.found[kept], pairs.truth_score, score)
    words = f"at scores of {score:.2f} or more"
    return [Measure(n, v, words) for n, v in zip(_F1, _shares(*numbers), strict=True)]


_F1 = ("precision", "recall", "F1")


def _counted(
    found: NDArray[np.int8], truth_score: NDArray[np.float64], score: float
) -> tuple[int, int, int]:
    """Return how many detections are right, how many are wrong, and how many things were missed."""
    missed = ~np.isnan(truth_score) & (truth_score < score)
    return int((found == _RIGHT).sum()), int((found == _WRONG).sum()), int(missed.sum())


def _shares(right: int, wrong: int, missed: int) -> tuple[float | None, float | None, float | None]:
    """Return precision, recall and F1; None where there is nothing to divide by."""
    return (
        right / (right + wrong) if right + wrong else None,
        right / (right + missed) if right + missed else None,
        2 * right / (2 * right + wrong + missed) if right + wrong + missed else None,
    )


def _per_class(
    run: _Run, whole: _Sums, case: Case, pairs: Pairs, kept: NDArray[np.bool_], score: float
) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for label, name in enumerate(run.labels):
        mine, theirs = case.truth.label == label, (case.found.label == label) & kept
        true = mine & ~np.isnan(pairs.truth_score)
        shares = _shares(*_counted(pairs.found[theirs], pairs.truth_score[mine], score))
        rows.append(
            (
                *(name, int(true.sum()), int(theirs.sum())),
                _precision(run, whole, label=label),
                _precision(run, whole, iou=0.5, label=label) if _has(run, 0.5) else None,
                _recall(run, whole, label=label),
                *shares,
            )
        )
    rows.sort(key=lambda row: (-int(row[1] or 0), str(row[0])))
    return Table("Classes", ("class", "truth", "found", "AP", "AP50", "AR", *_F1), tuple(rows))


def _per_size(run: _Run, whole: _Sums, case: Case) -> Table:
    areas = case.truth.area[~case.truth.crowd]
    rows: list[tuple[Cell, ...]] = []
    for place, (name, (low, high)) in enumerate(run.areas):
        words = (
            "any"
            if name == "all"
            else f"{low**0.5:g}²"
            + (
                f" to {high**0.5:g}²" if high < 1e10 else " or more"  # noqa: PLR2004 - COCO's infinity
            )
        )
        inside = int(((areas >= low) & (areas <= high)).sum())
        rows.append(
            (
                *(name, words, inside),
                _precision(run, whole, area=place),
                _recall(run, whole, area=place),
            )
        )
    return Table("Sizes", ("size", "pixels", "truth", "AP", "AR"), tuple(rows))


def _charts(run: _Run, whole: _Sums, case: Case) -> tuple[Chart, ...]:
    """Return precision over recall: of all classes at several IoUs, and of each class at one."""
    values = whole.precision[:, :, :, 0, -1]
    recalls = np.asarray(run.params.rec_thrs, np.float64)
    like = "OKS" if run.kind == POSES else "IoU"

    def curve(name: str, points: NDArray[np.float64]) -> Curve:
        return Curve(
            name,
            tuple(
                (round(float(x), 4), round(float(y), 4))
                for x, y in zip(recalls, points, strict=True)
            ),
        )

    there = np.asarray((values > -1).all(axis=(0, 1)))
    if not there.any():
        return ()
    of_all = values[:, :, there].mean(axis=2)
    shown = [iou for iou in (0.5, 0.75, 0.9) if _has(run, iou)] or list(run.ious[:3])
    lines = [curve(f"{like} {iou:.2f}", of_all[_place(run, iou)]) for iou in shown]
    if len(run.ious) > 1:
        lines.append(curve(f"mean of {_range(run)}", of_all.mean(axis=0)))
    charts = [Chart("Precision over recall", "recall", "precision", tuple(lines))]
    if there.sum() > 1:
        counts = np.bincount(case.truth.label, minlength=len(run.labels))
        most = [n for n in np.argsort(-counts, kind="stable").tolist() if there[n]][:_CURVES_SHOWN]
        iou = min(run.ious)
        of_each = [curve(run.labels[n], values[_place(run, iou), :, n]) for n in most]
        title = f"Per class, {like} {iou:.2f}"
        charts.append(Chart(title, "recall", "precision", tuple(of_each)))
    return tuple(charts)


def _confusion(run: _Run, case: Case, pairs: Pairs, score: float) -> Confusion | None:
    if len(run.labels) > _CONFUSED_MOST:
        return None
    # What lies in crowd regions is neither right nor wrong.
    keep = (pairs.found != _IGNORED) & (case.found.scores >= score)
    true = case.truth.take(~np.isnan(pairs.truth_score))
    data = run.data(true, case.found.take(keep), case.rows)
    evaluation = hotcoco.COCOeval(*data, run.kind)
    matrix = evaluation.confusion_matrix(iou_thr=min(run.ious), max_det=run.most)["matrix"]
    counts = tuple(tuple(int(n) for n in row) for row in matrix)
    return Confusion(
        f"Classes taken for others, IoU {min(run.ious):.2f}, scores of {score:.2f} or more",
        (*run.labels, "nothing there"),
        (*run.labels, "not found"),
        counts,
    )


def _worst(case: Case, pairs: Pairs, kept: NDArray[np.bool_], score: float) -> tuple[Worst, ...]:
    truth, found = case.truth, case.found
    length = len(case.answers.items)
    missed = ~np.isnan(pairs.truth_score) & (pairs.truth_score < score)
    wrong = (pairs.found == _WRONG) & kept
    right = (pairs.found == _RIGHT) & kept
    counts = [
        np.bincount(things.image[which], minlength=length)
        for things, which in ((truth, missed), (found, wrong), (found, right))
    ]
    listed = []
    for row in worst_first((counts[0] + counts[1]).tolist(), counts[2].tolist()):
        marks = [
            _mark("missed" if missed[place] else "hit", case, truth, place)
            for place in np.flatnonzero(truth.image == row).tolist()
            if not np.isnan(pairs.truth_score[place])
        ]
        marks += [
            _mark("wrong" if wrong[place] else "right", case, found, place)
            for place in np.flatnonzero((found.image == row) & (wrong | right)).tolist()
        ]
        words = f"{counts[2][row]} right, {counts[1][row]} wrong, {counts[0][row]} missed"
        if not case.answers.has_result[row]:
            words += ", no result"
        listed.append(Worst(item_of(case, row), row, words, tuple(marks)))
    return tuple(listed)


def _mark(kind: str, case: Case, things: Things, place: int) -> Mark:
    x, y, wide, high = things.xywh[place].tolist()
    name = case.labels[int(things.label[place])]
    is_true = kind in {"hit", "missed"}
    words = name if is_true else f"{name} {things.scores[place]:.2f}"
    corners = ((x, y), (x + wide, y), (x + wide, y + high), (x, y + high))
    return Mark(kind, words, corners)


def _protocol(kind: str, run: _Run, score: float, *, chosen: bool) -> dict[str, str]:
    like = "OKS" if kind == POSES else "IoU"
    why = "as asked" if chosen else "where F1 is best"
    least = min(run.ious)
    protocol = {
        "measures": f"COCO's, of {_UNITS[kind]}",
        like: ", ".join(f"{iou:.2f}" for iou in run.ious),
        "detections": f"at most {run.most} a picture and class, the best scores",
        "precision, recall, F1": f"{like} {least:.2f}, scores of {score:.4g} or more: {why}",
    }
    if kind == POSES:
        uniform = f"{UNIFORM_SIGMA} for every joint: the skeleton is not COCO's"
        given = ", ".join(f"{sigma:g}" for sigma in run.sigmas)
        is_uniform = set(run.sigmas) == {UNIFORM_SIGMA}
        protocol["sigmas"] = "COCO's" if not run.sigmas else uniform if is_uniform else given
    return protocol


def _notes(run: _Run, case: Case) -> tuple[str, ...]:
    found = case.found
    groups = found.image * max(1, len(run.labels)) + found.label
    _, counts = np.unique(groups, return_counts=True)
    more = int(np.maximum(counts - run.most, 0).sum())
    if not more:
        return ()
    return (f"detections beyond the best {run.most} of a picture and class: {more:,}, left out",)
