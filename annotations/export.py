"""Writes a job's results in another format: from its result files, a part at a time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.orm import Session

from annotations.class_list import ClassList, check_labels, meant_labels
from annotations.formats import FORMATS, Format
from annotations.images import Images, Placer
from annotations.model_classes import classes_of
from annotations.names import Names
from annotations.narrowing import EVERYTHING, Thresholds, narrowed
from annotations.pictures import LIKELY, Counts, Page, Pages
from annotations.regions import Segmentations, Shape
from annotations.target import Target, opened_target
from core.errors import UsageError
from core.options import ModelRef
from core.tasks import CLASSIFY, PANOPTIC, SEGMENT, task_of
from store.artefacts import legends_of
from store.database import Database
from store.jobs import sources_of
from store.references import CARRIES, references_of
from store.s3.location import is_s3
from store.settling import parts_of
from store.tables import Job, Shard
from store.view import view_tables

_ROWS_AT_ONCE = 2_000
_HAS_SHAPES = frozenset({"coco", "cvat"})

Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Wish:
    """How a job is to be exported.

    `model` is needed if the job has several. `kept` are the labels that are exported, one by one or
    with commas between them, None for all; `renamed` gives labels other names. `images` and
    `shape` of None are what suits the format. `boxes_only` leaves out pixels, outlines and joints.
    `as_results` writes COCO's list of detections. `raw` leaves text in CSV as it is.
    """

    form: Format
    model: str | None = None
    kept: tuple[str, ...] | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)
    thresholds: Thresholds = EVERYTHING
    images: Images | None = None
    shape: Shape | None = None
    boxes_only: bool = False
    as_results: bool = False
    raw: bool = False
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported: counts, classes by number, what became of pictures, and doubts."""

    counts: Counts
    classes: list[str]
    images: Images
    noun: str
    doubts: list[str]


class Writer(Protocol):
    """Writes pages or, in tabular formats, tables."""

    def add(self, what: Any) -> None:
        """Write some more, in listing order."""

    def close(self) -> None:
        """Write what comes last."""


def export_job(
    db: Database, job: Job, destination: str, wish: Wish, progress: Progress = lambda _rows: None
) -> Exported:
    """Export a job's results so far to a folder, a prefix or a file; see `annotations.target`.

    `progress` is told how many rows were written.

    Raises:
        UsageError: the format has no place for what the model says, something else that is wished
            means nothing here, or the destination is taken.
        FatalError: a part of the job is missing or damaged.
    """
    model = _model_of(job, wish.model)
    is_file = destination.lower().endswith(wish.form.suffixes or ("\0",))
    images = _images_of(job, destination, wish, is_file=is_file)
    _check(model.task, wish, is_file=is_file)
    known = classes_of(db, model)
    labels = None if known.labels is None else known.labels.values()
    if labels is not None:
        check_labels(wish.thresholds.by_label, labels)
    kept = None if wish.kept is None else meant_labels(wish.kept, labels)
    if kept == ():
        raise UsageError("--classes names no label")
    classes = ClassList(known.labels, kept=kept, renamed=wish.renamed)
    run = _Run(db, job, model, wish, classes, images, is_file=is_file)
    with opened_target(destination, is_file=is_file, overwrite=wish.overwrite) as target:
        counts = run.write(target, progress)
        target.commit(run.about(counts))
    doubts = [known.doubt] if known.doubt else []
    doubts += [f"no row has the label {label!r}" for label in classes.unseen]
    if job.options.get("redact") and images is not Images.LEAVE:
        doubts.append("the job blurs what it draws; the images here are the sources, unblurred")
    return Exported(counts, classes.names, images, run.noun, doubts)


def _model_of(job: Job, name: str | None) -> ModelRef:
    """Return the model whose results are exported.

    Raises:
        UsageError: the job has none of that name, or several and none is named.
    """
    members = {one.name: one for one in ModelRef.from_json(job.model).members}
    if name is None and len(members) > 1:
        raise UsageError(
            f"job {job.id} has several models", hint=f"--model names one: {', '.join(members)}"
        )
    if name is not None and name not in members:
        raise UsageError(f"job {job.id} has no model {name!r}", hint=f"it has {', '.join(members)}")
    return members[name] if name is not None else next(iter(members.values()))


def _images_of(job: Job, destination: str, wish: Wish, *, is_file: bool) -> Images:
    """Return what becomes of the pictures."""
    away = any(is_s3(source.root) for source in sources_of(job).values())
    has_room = bool(wish.form.pictures) and not is_file and not wish.as_results
    if wish.images is None:
        fits = has_room and not away and not is_s3(destination)
        return Images.LINK if fits else Images.LEAVE
    if wish.images is not Images.LEAVE and not has_room:
        what = "a single file" if is_file else f"an export to {wish.form.name}"
        what = "a list of results" if wish.as_results else what
        raise UsageError(f"{what} holds no pictures", hint="leave --images out")
    if wish.images is Images.LINK and (away or is_s3(destination)):
        raise UsageError("nothing can link to or from a bucket", hint="--images copy, or leave")
    return wish.images


def _check(task: str, wish: Wish, *, is_file: bool) -> None:
    """Check that a wish can be met for a model's task."""
    form = wish.form
    if task not in form.tasks and not form.is_tabular:
        fit = [one.name for one in FORMATS.values() if task in one.tasks]
        raise UsageError(
            f"{form.name} has no place for what a model for {task} says",
            hint=f"these have: {', '.join(fit)}",
        )
    if is_file and task == PANOPTIC and not form.is_tabular:
        raise UsageError("panoptic segments need maps beside the file", hint="name a folder")
    if wish.as_results and (form.name != "coco" or task == PANOPTIC):
        raise UsageError("--coco-results is for --to coco, and for what has scores")
    if wish.shape is not None and form.name not in _HAS_SHAPES:
        raise UsageError(f"--masks means nothing to {form.name}", hint="leave it out")
    if wish.boxes_only and (form.is_tabular or task not in {"detect", "keypoint", "ocr"}):
        raise UsageError(f"--boxes means nothing to a model for {task} and {form.name}")
    if wish.raw and form.name != "csv":
        raise UsageError("--raw is for --to csv", hint="leave it out")
    if _is_scored(wish.thresholds) and task_of(task).has_shares:
        raise UsageError(f"--min-score means nothing to a model for {task}: shares are no scores")


class _Run:
    """One export."""

    def __init__(
        self,
        db: Database,
        job: Job,
        model: ModelRef,
        wish: Wish,
        classes: ClassList,
        images: Images,
        *,
        is_file: bool,
    ) -> None:
        self._db = db
        self._job = job
        self._model = model
        self._wish = wish
        self._classes = classes
        self._images = images
        self._is_file = is_file
        self.noun = "row" if wish.form.is_tabular else _noun(model.task)

    def write(self, target: Target, progress: Progress) -> Counts:
        """Write all results so far."""
        counts = Counts()
        if self._wish.form.is_tabular:
            self._write_rows(target, counts, progress)
        else:
            self._write_pictures(target, counts, progress)
        return counts

    def _write_rows(self, target: Target, counts: Counts, progress: Progress) -> None:
        writer = self._tabular_writer(target)
        for table in self._tables():
            writer.add(table)
            counts.objects += len(table)
            progress(len(table))
        writer.close()

    def _write_pictures(self, target: Target, counts: Counts, progress: Progress) -> None:
        form, regions = self._wish.form, self._segmentations()
        writer = self._picture_writer(target, regions)
        as_items = self._images is Images.LEAVE and not form.by_stem
        reserved = form.pictures if form.is_swapped else ""
        names = Names(by_stem=form.by_stem, as_items=as_items, reserved=reserved)
        likely = None if _is_scored(self._wish.thresholds) else LIKELY
        pages = Pages(names, counts, likely=likely if self._model.task == CLASSIFY else None)
        placer = Placer(target, form.pictures, self._images, counts)
        has_maps = regions is not None and form.name != "voc"
        for table in self._tables():
            page = pages.of(table)
            if has_maps and regions is not None:
                page = regions.with_regions(page)
            if self._wish.boxes_only:
                page = _boxes(page)
            counts.objects += _found_in(page, self._model.task)
            for picture in page.pictures:
                placer.place(picture)
            writer.add(page)
            progress(len(table))
        writer.close()
        placer.close()

    def _tables(self) -> Iterator[pa.Table]:
        """Yield the narrowed rows of the model, a limited number at once."""
        for whole in view_tables(self._db, self._job):
            for start in range(0, len(whole), _ROWS_AT_ONCE):
                table = whole.slice(start, _ROWS_AT_ONCE)
                table = table.filter(pc.equal(table["model"], self._model.name))
                yield narrowed(table, self._classes, self._wish.thresholds)

    def _tabular_writer(self, target: Target) -> Writer:
        from annotations import tabular  # noqa: PLC0415 - each format imports what it needs

        if self._wish.form.name == "csv":
            return tabular.CsvWriter(target, raw=self._wish.raw)
        if self._wish.form.name == "jsonl":
            return tabular.LinesWriter(target)
        return tabular.ParquetWriter(target)

    def _picture_writer(self, target: Target, regions: Segmentations | None) -> Writer:
        wish, classes, task = self._wish, self._classes, self._model.task
        if wish.form.name == "coco" and task == PANOPTIC:
            from annotations.coco_panoptic import PanopticWriter  # noqa: PLC0415

            return PanopticWriter(
                target, classes, info=self._info(), all_segments=wish.kept is None
            )
        if wish.form.name == "coco":
            from annotations.coco import CocoWriter  # noqa: PLC0415

            return CocoWriter(
                target,
                classes,
                info=self._info(),
                shape=wish.shape or Shape.RUNS,
                as_results=wish.as_results,
                is_file=self._is_file,
            )
        if wish.form.name == "yolo":
            from annotations.yolo import YoloWriter  # noqa: PLC0415

            return YoloWriter(target, classes, apart=regions is not None)
        if wish.form.name == "voc":
            from annotations.voc import VocWriter  # noqa: PLC0415

            return VocWriter(target, classes, folder=wish.form.pictures, segmentations=regions)
        if wish.form.name == "cvat":
            from annotations.cvat import CvatWriter  # noqa: PLC0415

            shape = wish.shape or Shape.OUTLINES
            return CvatWriter(
                target, classes, name=self._job.name, shape=shape, tags=task == CLASSIFY
            )
        from annotations.labelstudio import LabelStudioWriter  # noqa: PLC0415

        version = f"{self._model.name} {self._model.digest[:12]}"
        return LabelStudioWriter(target, classes, task=task, version=version)

    def _segmentations(self) -> Segmentations | None:
        """Return what makes objects of maps of classes, if there are maps and no outlines."""
        if self._model.task != SEGMENT or self._job.options.get("polygons"):
            return None
        legend: Mapping[str, Any] = {}
        for shard in self._db.read(self._shards):
            legend = legend or legends_of(shard).get(self._model.name, {})
        return Segmentations(self._classes, legend.get("background"))

    def _shards(self, session: Session) -> list[Shard]:
        """Return the shards that made the job's results, also those of jobs that it reads."""
        others = references_of(session, self._job.id).items()
        ids = [self._job.id, *(other for other, why in others if why == CARRIES)]
        return [shard for job_id in ids for shard in parts_of(session, job_id)]

    def _info(self) -> dict[str, Any]:
        return {
            "description": f"{self._job.name}: results of {self._model.name}, exported by Regatta",
            "version": self._job.id,
        }

    def about(self, counts: Counts) -> dict[str, Any]:
        """Return what `export.json` says; the same for the same export."""
        wish = self._wish
        return {
            "format": wish.form.name,
            "job": self._job.id,
            "name": self._job.name,
            "model": self._model.name,
            "digest": self._model.digest,
            "task": self._model.task,
            "classes": self._classes.names,
            "kept": None if wish.kept is None else list(wish.kept),
            "renamed": dict(wish.renamed),
            "min_score": {"": wish.thresholds.least, **wish.thresholds.by_label},
            "images": self._images.value,
            "counts": asdict(counts),
        }


def _noun(task: str) -> str:
    if task in {SEGMENT, PANOPTIC}:
        return "segment"
    if task == CLASSIFY:
        return "label"
    return "box"


def _is_scored(thresholds: Thresholds) -> bool:
    return thresholds != EVERYTHING


def _found_in(page: Page, task: str) -> int:
    """Return how much a page holds: objects, else segments of maps or classes of pictures."""
    if len(page.objects) or task not in {SEGMENT, PANOPTIC, CLASSIFY}:
        return len(page.objects)
    return sum(len(one.segments or one.classes or ()) for one in page.pictures)


def _boxes(page: Page) -> Page:
    objects = replace(page.objects, keypoints=None, masks=None, polygons=None)
    return replace(page, objects=objects)
