"""Which options a chosen model heeds, and what holds for it in the end."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from typing import Any

from core.errors import UsageError
from core.option import Kind, Option, options_of
from core.options import GREEN, DrawOptions, JobOptions, ModelRef, RowOptions
from core.request import OPTIONS, JobRequest, Said
from core.sources import SourceKind
from core.tasks import DETECT, KEYPOINT, LEAST_LINE_SCORE, MASKS, OCR, TOP_DOWN, TRAITS, UNPAIRED
from core.values import plain_value
from registry.chosen_model import ChosenModel


def traits_of(model: ChosenModel) -> frozenset[str]:
    """Return what a model (one, not several) is and has that options may be about."""
    traits = {model.ref.task}
    if model.ref.task == DETECT and model.exports[""].has_masks:
        traits.add(MASKS)
    if model.ref.task == KEYPOINT and (model.is_unpaired or model.ref.parts):
        traits.add(TOP_DOWN)
    if model.is_unpaired:
        traits.add(UNPAIRED)
    return frozenset(traits)


def heeded(
    request: JobRequest, models: Sequence[ChosenModel], sources: Collection[SourceKind]
) -> tuple[JobRequest, list[str]]:
    """Return the request without inherited options that nothing in the job heeds, and why for each.

    `models` are those that the request names, before they get their detector. `sources` are the
    kinds of its sources, one of which is enough.

    Raises:
        UsageError: an option that was typed is heeded by nothing.
    """
    dropped = []
    present = frozenset().union(*map(traits_of, models))
    for name, each in OPTIONS.items():
        if name not in request.said:
            continue
        why = (
            why_unheeded(each, present, [model.ref for model in models])
            or why_not_beside(each, request.said)
            or _not_of_sources(each, sources)
            or _not_by_networks(each, models)
        )
        if why is None:
            continue
        if name not in request.inherited:
            raise UsageError(why, hint=f"leave {each.flag} out")
        dropped.append(why)
        request = request.without(name)
    return request, dropped


def why_unheeded(each: Option, present: frozenset[str], models: Sequence[ModelRef]) -> str | None:
    """Return why an option means nothing to models with these traits; None if it does."""
    if each.heeded_by is None or each.heeded_by & present:
        return None
    named = " and ".join(f"{one.name!r} (task {one.task})" for one in models)
    whose = ", ".join(words for trait, words in TRAITS.items() if trait in each.heeded_by)
    return f"{each.flag} means nothing to {named}: it is for models of {whose}"


def why_not_beside(each: Option, said: Said) -> str | None:
    """Return why an option means nothing beside the others that were said; None if it does."""
    if each.needs == "slice" and "slice" not in said:
        return f"{each.flag} says how tiles are cut and merged, and there is no --slice"
    if each.needs == "annotate" and not said.get("annotate", True):
        return f"{each.flag} is about pictures, and --annotate none draws none"
    if each.needs == "since_job" and "since_job" not in said:
        return f"{each.flag} says why results are not taken over, and there is no --since-job"
    if each.name == "jpeg-quality" and said.get("picture_format") == "png":
        return f"{each.flag} means nothing to PNG, which loses nothing"
    return None


def _not_of_sources(each: Option, sources: Collection[SourceKind]) -> str | None:
    if each.name == "hidden" and not {SourceKind.FOLDER, SourceKind.GLOB}.intersection(sources):
        return f"{each.flag} needs a folder or a glob: whoever names an item means it"
    if each.kind is Kind.SINCE and all(source.is_manifest for source in sources):
        return f"{each.flag} needs a listing: lists of items do not say when files changed"
    if each.name in {"min-size", "max-size"} and set(sources) == {SourceKind.LINES}:
        return f"{each.flag} needs a listing: lines of a text do not say how large files are"
    return None


def _not_by_networks(each: Option, models: Sequence[ChosenModel]) -> str | None:
    if each.name != "batch-size" or any(model.is_unpaired for model in models):
        return None
    networks = [one for model in models for one in model.networks.values()]
    if any(one.batch_size(int(each.most or 1)) > 1 for one in networks):
        return None
    named = " and ".join(f"{one.ref.name!r} (task {one.ref.task})" for one in models)
    return f"{each.flag} means nothing to {named}, which takes one picture at a time"


def effective(chosen: ChosenModel, options: JobOptions) -> dict[str, dict[str, Any]]:
    """Return the effective values for each model that gives rows, by name.

    These are its task, and the value of each option that it heeds, such as its own threshold.
    """
    return {model.ref.name: _effective(model, options) for model in chosen.members}


def _effective(model: ChosenModel, options: JobOptions) -> dict[str, Any]:
    rows, present = options.rows, traits_of(model)
    threshold = own_threshold(model) if rows.threshold is None else rows.threshold
    values = asdict(replace(rows, threshold=threshold))
    values["slice"] = values.pop("slicing")
    held = {
        each.key: values[each.key]
        for each in options_of(RowOptions)
        if each.heeded_by is None or each.heeded_by & present
    }
    return {"task": model.ref.task, **held, **effective_drawing(present, options.drawing)}


def effective_drawing(present: frozenset[str], drawing: DrawOptions) -> dict[str, Any]:
    """Return what holds for the pictures of a model with these traits."""
    background = GREEN if drawing.background is None else drawing.background
    values = asdict(replace(drawing, background=background))
    values["annotate"] = plain_value(drawing.annotated)
    return {
        each.key: values[each.key]
        for each in options_of(DrawOptions)
        if (each.heeded_by is None or each.heeded_by & present)
        and (each.needs != "annotate" or drawing.annotate)
    }


def own_threshold(model: ChosenModel) -> float:
    """Return the score above which a model keeps detections unless somebody says otherwise."""
    if model.ref.task == OCR:
        return LEAST_LINE_SCORE
    if model.ref.task == KEYPOINT:
        finders = [each for each in model.exports.values() if each.task == DETECT]
        return finders[0].threshold if finders else 0.0
    return model.exports[""].threshold
