"""The classes of an export: their order, their numbers and their names."""

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.near import near_names, question
from predictions.detections import label_of

LEFT_OUT = -1
"""The number of a class that is not exported."""


class ClassList:
    """A model's classes as an export has them.

    `labels` are the model's by class id, all of them; None if nobody knows them any more, and then
    the list grows by what the rows hold. `kept` are labels that are exported, None for all;
    `renamed` are the names that labels get instead of their own: classes renamed to one name become
    one. Both speak of the model's labels.

    The numbers of the exported classes count from 0, in the model's order, or in that of `kept` if
    the model's is not known. Without `kept` and `renamed`, a class keeps the model's number.

    Raises:
        UsageError: the model has none of a label that `kept` or `renamed` names.
    """

    def __init__(
        self,
        labels: Mapping[int, str] | None,
        *,
        kept: Sequence[str] | None = None,
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        self.is_known = labels is not None
        self._kept = None if kept is None else dict.fromkeys(kept)
        self._renamed = renamed or {}
        self._numbers: dict[int, int] = {}  # by class id
        self._names: list[str] = []
        self._places: dict[str, int] = {}  # of names that several classes may have
        self._is_guess: set[int] = set()
        self._seen: set[str] = set()
        if labels is None:
            for label in self._kept or ():
                self._place(label)
            return
        check_labels([*(self._kept or ()), *self._renamed], labels.values())
        for class_id, label in labels.items():
            self._add(class_id, label)

    @property
    def names(self) -> list[str]:
        """The names of the exported classes, by number."""
        return list(self._names)

    @property
    def is_as_in_model(self) -> bool:
        """Whether all classes are exported, with the model's own numbers."""
        return all(number == class_id for class_id, number in self._numbers.items())

    @property
    def unseen(self) -> list[str]:
        """The labels that were asked about and that no row had, if the model's are not known."""
        asked = [*(self._kept or ()), *self._renamed]
        return [] if self.is_known else [label for label in asked if label not in self._seen]

    def number_of(self, class_id: int) -> int:
        """Return the number of one of the model's classes; `LEFT_OUT`, too, if no row had it."""
        return self._numbers.get(class_id, LEFT_OUT)

    def numbers_of(
        self, class_ids: NDArray[np.int32], label_at: Callable[[int], str | None]
    ) -> NDArray[np.int64]:
        """Return the numbers (N,) of the classes of N rows' entries, `LEFT_OUT` for some.

        Args:
            class_ids: The model's numbers, (N,), none negative.
            label_at: Returns the label of an entry.
        """
        if not len(class_ids):
            return np.empty(0, np.int64)
        ids, first = np.unique(class_ids, return_index=True)
        for class_id, place in zip(ids.tolist(), first.tolist(), strict=True):
            self._see(class_id, label_at(place) or label_of((), class_id))
        table = np.full(int(ids[-1]) + 1, LEFT_OUT, np.int64)
        table[ids] = [self._numbers[class_id] for class_id in ids.tolist()]
        return table[class_ids]

    def _see(self, class_id: int, label: str) -> None:
        self._seen.add(label)
        if class_id in self._numbers:
            if class_id in self._is_guess:
                self._is_guess.discard(class_id)
                self._names[self._numbers[class_id]] = self._renamed.get(label, label)
            return
        if self._kept is None and not self._renamed:
            # So that a class keeps the model's number: those before it that no row had yet.
            for before in range(len(self._names), class_id):
                if before in self._numbers:
                    continue
                self._add(before, label_of((), before))
                self._is_guess.add(before)
        self._add(class_id, label)

    def _add(self, class_id: int, label: str) -> None:
        if self._kept is not None and label not in self._kept:
            self._numbers[class_id] = LEFT_OUT
        elif self._renamed or (self._kept is not None and not self.is_known):
            self._numbers[class_id] = self._place(label)
        else:  # two classes of the model may have the same name
            self._numbers[class_id] = len(self._names)
            self._names.append(label)

    def _place(self, label: str) -> int:
        name = self._renamed.get(label, label)
        if name not in self._places:
            self._places[name] = len(self._names)
            self._names.append(name)
        return self._places[name]


def meant_labels(texts: Sequence[str], known: Collection[str] | None) -> tuple[str, ...]:
    """Return the labels that are meant: `person,car` are two, unless the model has that one."""
    return tuple(
        dict.fromkeys(
            label
            for text in texts
            for label in ([text] if known and text in known else text.split(","))
            if label
        )
    )


def check_labels(asked: Collection[str], known: Collection[str]) -> None:
    """Check labels that a person typed against a model's.

    Raises:
        UsageError: the model has no such label.
    """
    for label in asked:
        if label not in known:
            some = list(dict.fromkeys(known))
            near = question(near_names(label, some))
            more = f" and {len(some) - 10} more" if len(some) > 10 else ""  # noqa: PLR2004
            hint = near or f"there are {', '.join(some[:10])}{more}"
            raise UsageError(f"the model knows no class {label!r}", hint=hint)
