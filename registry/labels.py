"""Which labels models have, and what people mean by those that they type."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.errors import UsageError
from core.near import near_names, question
from core.option import Option
from core.request import OPTIONS, JobRequest
from core.tasks import DETECTOR, OCR
from registry.chosen_model import ChosenModel
from vision.people import people_classes

LINE = "text"
"""The label of a line of text."""

ABOUT_LABELS = ("classes", "redact")
"""The options that are lists of labels."""

_NUMBERED = re.compile(r"class \d+")
_MOST_NAMED = 10


def labels_of(model: ChosenModel) -> tuple[str, ...]:
    """Return the labels of a model's rows; empty if its classes have no names."""
    if model.ref.task == OCR:
        return (LINE,)
    if DETECTOR in model.exports:
        labels = model.exports[DETECTOR].labels
        people = people_classes(labels, model.ref.settings.get("people", ()))
        return tuple(labels[number] for number in people)
    return model.exports[""].labels


def labelled(request: JobRequest, models: Sequence[ChosenModel]) -> JobRequest:
    """Return the request with the labels that its options mean, one by one.

    `person,car` are two labels, unless a model has a label with that comma. `models` are all that
    give rows. A model that knows none of the labels finds nothing.

    Raises:
        UsageError: no model that heeds an option has one of its labels.
    """
    meant = {
        name: meant_labels(OPTIONS[name], request.said[name], models)
        for name in ABOUT_LABELS
        if name in request.said
    }
    said = {**request.said, **meant}
    check_kept(said)
    return JobRequest(request.sources, said, request.inherited)


def check_kept(said: Mapping[str, Any]) -> None:
    """Check that what is to be blurred is found at all: `--redact` goes by the rows.

    Raises:
        UsageError: `classes` leave it out.
    """
    kept = said.get("classes")
    left_out = [] if kept is None else [one for one in said.get("redact", ()) if one not in kept]
    if left_out:
        raise UsageError(
            f"--redact blurs what the rows hold, and --classes leaves {left_out[0]!r} out of them",
            hint=f"add {left_out[0]!r} to --classes",
        )


def meant_labels(
    each: Option, asked: Iterable[str], models: Sequence[ChosenModel]
) -> tuple[str, ...]:
    """Return the labels that the values of an option mean, without repetitions.

    Raises:
        UsageError: no model that heeds the option has one of them.
    """
    heeding = [one for one in models if each.heeded_by and one.ref.task in each.heeded_by]
    lists = [labels_of(one) for one in heeding]
    known = dict.fromkeys(label for labels in lists for label in labels)
    meant: dict[str, None] = {}
    for text in asked:
        words = [text] if text in known else [one.strip() for one in text.split(",")]
        for word in filter(None, words):
            # A model without names calls its classes by their numbers.
            if word not in known and not (not all(lists) and _NUMBERED.fullmatch(word)):
                raise _unknown(each, word, list(known), heeding)
            meant[word] = None
    if not meant:
        raise UsageError(f"{each.flag} names no label")
    return tuple(meant)


def _unknown(
    each: Option, word: str, known: Sequence[str], models: Sequence[ChosenModel]
) -> UsageError:
    named = " and ".join(repr(one.ref.name) for one in models)
    # Or a part of a longer name: `tench` of `tench, Tinca tinca`.
    near = near_names(word, known) or [one for one in known if word.lower() in one.lower()][:3]
    hint = question(near) or _named(known)
    return UsageError(f"{each.flag}: {named} knows no {word!r}", hint=hint)


def _named(known: Sequence[str]) -> str:
    if not known:
        return "its classes have no names: write 'class 7' for number 7"
    more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
    return f"there are {', '.join(known[:_MOST_NAMED])}{more}"
