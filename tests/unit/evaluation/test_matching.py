import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UsageError
from evaluation.labels import paired, parse_map
from evaluation.matching import match

ITEMS = ("a/x.jpg", "b/x.jpg", "c/y.jpg", "z.png")


@pytest.mark.parametrize(
    ("names", "rows", "by_base"),
    [
        (["a/x.jpg", "z.png"], [0, 3], 0),
        (["./a/x.jpg", "c\\y.jpg"], [0, 2], 0),
        (["y.jpg", "elsewhere/z.png"], [2, 3], 2),
        (["x.jpg"], [-1], 0),  # two items have this base name
        (["q/y.jpg", "r/y.jpg"], [-1, -1], 0),  # two pictures of the truth do
        (["c/y.jpg", "y.jpg"], [2, -1], 0),  # the item is taken
        (["y.JPG", "gone.jpg"], [-1, -1], 0),
    ],
)
def test_names_match_by_key_and_then_by_base_name(
    names: list[str], rows: list[int], by_base: int
) -> None:
    found = match(names, ITEMS, has_stems=False)
    assert found.rows.tolist() == rows
    assert found.by_base == by_base
    assert len(found.unknown) == rows.count(-1)


def test_label_files_lack_the_suffix() -> None:
    found = match(["a/x", "y", "z.png"], ITEMS, has_stems=True)
    assert found.rows.tolist() == [0, 2, 3]


@settings(max_examples=30, deadline=None)
@given(
    names=st.lists(st.text("ab/.\\", max_size=4), unique=True, max_size=6),
    items=st.lists(st.text("ab/.", max_size=4), unique=True, max_size=6),
    stems=st.booleans(),
)
def test_no_item_is_given_twice(names: list[str], items: list[str], stems: bool) -> None:
    rows = [row for row in match(names, items, has_stems=stems).rows.tolist() if row >= 0]
    assert len(set(rows)) == len(rows)


def test_classes_pair_by_name_and_then_by_what_looks_alike() -> None:
    places = paired(("boat", "Traffic Light", "van"), ("traffic_light", "boat", "truck"), {})
    assert places.tolist() == [1, 0, -1]
    mapped = paired(
        ("boat", "Traffic Light", "van"), ("truck", "lorry"), {"truck": "van", "lorry": "van"}
    )
    assert mapped.tolist() == [2, 2]
    assert paired(("Boat",), ("boat", "BOAT"), {}).tolist() == [-1, -1]


def test_a_map_of_unknown_classes_is_refused() -> None:
    with pytest.raises(UsageError, match="no class 'vam'") as refused:
        paired(("van",), ("truck",), {"truck": "vam"})
    assert refused.value.hint == "did you mean 'van'?"
    assert parse_map(["a=b,c=d", "e=b"]) == {"a": "b", "c": "d", "e": "b"}
    for word in ("x", "=x", "x="):
        with pytest.raises(UsageError, match="--map"):
            parse_map([word])
