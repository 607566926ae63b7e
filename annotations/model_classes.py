"""Which classes a job's model has, even if its files are gone."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import UsageError
from core.options import ModelRef
from core.tasks import DETECTOR, OCR
from registry.chosen_model import ChosenModel, find_models
from registry.labels import LINE
from store.database import Database
from store.models import list_models
from vision.people import people_classes


@dataclass(frozen=True, slots=True)
class ModelClasses:
    """The labels of a model by class id; None if only its rows tell them. `doubt` says why."""

    labels: Mapping[int, str] | None
    doubt: str | None = None


def classes_of(db: Database, ref: ModelRef) -> ModelClasses:
    """Return the classes that a model's rows can have.

    They are those of its files; else those that its card holds, if it is still registered.
    """
    if ref.task == OCR:
        return ModelClasses({0: LINE})
    try:
        [model] = find_models(db, [ref])
    except UsageError:
        return _without_files(db, ref)
    labels = _of_files(model)
    return ModelClasses(labels or None, None if labels else "the model's classes have no names")


def _of_files(model: ChosenModel) -> dict[int, str]:
    if DETECTOR not in model.exports:
        return dict(enumerate(model.exports[""].labels))
    labels = model.exports[DETECTOR].labels
    people = people_classes(labels, model.ref.settings.get("people", ()))
    return {number: labels[number] for number in people}


def _without_files(db: Database, ref: ModelRef) -> ModelClasses:
    gone = f"the files of the model {ref.name!r} are not there any more"
    for known in db.read(list_models):
        if known.digest == ref.digest and (labels := known.card.get("labels")):
            doubt = f"{gone}: its classes are those of its card"
            return ModelClasses(dict(enumerate(labels)), doubt)
    return ModelClasses(None, f"{gone}: its classes are those that rows have")
