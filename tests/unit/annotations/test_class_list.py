import numpy as np
import pytest

from annotations.class_list import LEFT_OUT, ClassList, meant_labels
from core.errors import UsageError

MODEL = {0: "person", 1: "car", 2: "truck", 3: "boat"}


def numbers(classes: ClassList, labels: dict[int, str], *ids: int) -> list[int]:
    found = np.array(ids, np.int32)
    return classes.numbers_of(found, lambda place: labels[ids[place]]).tolist()


def test_a_models_classes_keep_their_numbers_whatever_rows_hold() -> None:
    classes = ClassList(MODEL)
    assert numbers(classes, MODEL, 3, 1, 3) == [3, 1, 3]
    assert classes.names == ["person", "car", "truck", "boat"]
    assert classes.is_as_in_model


def test_classes_of_one_name_become_one() -> None:
    classes = ClassList(MODEL, renamed={"car": "vehicle", "truck": "vehicle", "boat": "person"})
    assert numbers(classes, MODEL, 0, 1, 2, 3) == [0, 1, 1, 0]
    assert classes.names == ["person", "vehicle"]
    assert not classes.is_as_in_model


def test_what_is_not_kept_is_left_out_and_the_rest_keeps_the_models_order() -> None:
    classes = ClassList(MODEL, kept=["boat", "car"], renamed={"boat": "vessel"})
    assert numbers(classes, MODEL, 0, 1, 3) == [LEFT_OUT, 0, 1]
    assert classes.names == ["car", "vessel"]


def test_classes_of_a_detector_of_people_count_from_0() -> None:
    classes = ClassList({5: "rower", 7: "cox"})
    assert numbers(classes, {5: "rower", 7: "cox"}, 7, 5) == [1, 0]
    assert not classes.is_as_in_model


def test_two_classes_with_the_same_name_stay_two() -> None:
    labels = {0: "crane", 1: "crane"}
    classes = ClassList(labels)
    assert numbers(classes, labels, 1, 0) == [1, 0]
    assert classes.names == ["crane", "crane"]


def test_unknown_classes_take_their_numbers_from_rows() -> None:
    classes = ClassList(None)
    assert numbers(classes, MODEL, 2, 2) == [2, 2]
    assert classes.names == ["class 0", "class 1", "truck"]
    assert numbers(classes, MODEL, 0) == [0]
    assert classes.names == ["person", "class 1", "truck"]
    assert classes.number_of(1) == 1
    assert classes.number_of(9) == LEFT_OUT


def test_unknown_classes_that_are_kept_are_in_the_order_in_which_they_were_named() -> None:
    classes = ClassList(None, kept=["truck", "person", "bird"])
    assert numbers(classes, MODEL, 0, 1, 2) == [1, LEFT_OUT, 0]
    assert classes.names == ["truck", "person", "bird"]
    assert classes.unseen == ["bird"]


def test_a_class_beyond_the_models_list_is_named_by_its_number() -> None:
    classes = ClassList({0: "person"})
    assert numbers(classes, {2: "class 2"}, 2) == [2]
    assert classes.names == ["person", "class 1", "class 2"]


def test_slips_are_named() -> None:
    with pytest.raises(UsageError, match="no class 'persn'") as told:
        ClassList(MODEL, kept=["persn"])
    assert told.value.hint == "did you mean 'person'?"
    with pytest.raises(UsageError, match="no class 'cat'"):
        ClassList(MODEL, renamed={"cat": "animal"})


def test_labels_with_commas() -> None:
    assert meant_labels(["a,b", "c,d", "a"], ["a", "b", "c,d"]) == ("a", "b", "c,d")
    assert meant_labels(["a,b"], None) == ("a", "b")
