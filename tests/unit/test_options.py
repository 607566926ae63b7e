import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.codec import checked_keys, to_plain
from core.digests import Digests
from core.errors import NewerError, UsageError
from core.option import option, options_of
from core.options import JobOptions, ModelRef
from core.request import OPTIONS, JobRequest
from core.selection import Selection
from core.slicing import Slicing

HELD: dict[str, Any] = {"max_pixels": 10, "max_item_bytes": 20, "jpeg_quality": 90}
KEYS_OF_THE_FIRST_VERSION = {
    *HELD,
    *("threshold", "annotate", "shard_items", "batch_size", "alpha", "slicing", "background"),
    "polygons",
}


def test_the_version_before_finds_the_keys_that_it_knows() -> None:
    assert JobOptions.of(**HELD).to_json().keys() == KEYS_OF_THE_FIRST_VERSION
    assert Selection().to_json().keys() == {
        *("include", "exclude", "min_size", "max_size", "since", "limit")
    }
    assert ModelRef("n", "detect", "d", "/m").to_json().keys() == {
        *("name", "task", "digest", "location")
    }


@given(
    st.fixed_dictionaries(
        {"max_pixels": st.integers(1), "max_item_bytes": st.integers(1)}
        | {"jpeg_quality": st.integers(1, 100)},
        optional={
            "threshold": st.floats(0, 1),
            "slicing": st.builds(
                Slicing,
                st.integers(32),
                st.integers(32),
                st.floats(0, 0.9),
                st.sampled_from(["nms", "nmm"]),
            ),
            "polygons": st.booleans(),
            "background": st.tuples(*[st.integers(0, 255)] * 3),
            "shard_items": st.integers(1),
        },
    )
)
def test_options_survive_json(values: dict[str, Any]) -> None:
    options = JobOptions.of(**values)
    again = JobOptions.from_json(json.loads(json.dumps(options.to_json())))
    assert again == options
    assert again.digests() == options.digests()


def test_a_missing_key_is_its_default() -> None:
    assert JobOptions.from_json(HELD) == JobOptions.of(**HELD)
    assert Selection.from_json({}) == Selection()


@pytest.mark.parametrize(
    ("read", "data", "said"),
    [
        (JobOptions.from_json, {**HELD, "tracker": "byte", "fps": 3}, "option 'fps', option 'tra"),
        (JobOptions.from_json, {"jpeg_quality": 90}, "no option 'max_pixels'"),
        (
            JobOptions.from_json,
            {**HELD, "slicing": {"width": 9, "height": 9, "metric": "iou"}},
            "slicing 'metric'",
        ),
        (
            JobOptions.from_json,
            {**HELD, "slicing": {"width": 9, "height": 9, "overlap": 0, "merge": "wbf"}},
            "option 'merge' as 'wbf'",
        ),
        (Selection.from_json, {"frames": 3}, "selection 'frames'"),
        (
            ModelRef.from_json,
            {"name": "n", "task": "t", "digest": "d", "location": "/", "precision": "fp16"},
            "model key 'precision'",
        ),
        (JobRequest.from_json, {"source": "/s/", "tracker": "byte"}, "option 'tracker'"),
        (JobRequest.from_json, {"source": "/s/", "threshold": "high"}, "option 'threshold' of"),
    ],
)
def test_what_a_newer_version_wrote_is_left_to_it(
    read: Any, data: dict[str, Any], said: str
) -> None:
    with pytest.raises(NewerError, match=f"needs a newer Regatta: {said}"):
        read(data)


@dataclass(frozen=True, slots=True)
class Grown:
    """A group that got an option in a later version."""

    old: int = option("old", 1, "From the start.")
    new: int = option("new", 2, "Came later.", is_later=True)


def test_a_later_option_is_written_only_where_it_is_used() -> None:
    assert to_plain(Grown()) == {"old": 1}
    assert to_plain(Grown(new=3)) == {"old": 1, "new": 3}
    assert Grown(**checked_keys({"old": 1}, "option", Grown)) == Grown()


def test_a_digest_tells_which_group_was_changed() -> None:
    one = JobOptions.of(**HELD)
    model = ModelRef("m", "detect", "d" * 64, "/m")
    before = Digests.of(model, one)
    for changes, group, rows in (
        ({"threshold": 0.4}, "rows", True),
        ({"slicing": Slicing(640, 640)}, "rows", True),
        ({"alpha": 0.4}, "drawing", False),
        ({"jpeg_quality": 70}, "drawing", False),
        ({"max_pixels": 11}, "limits", True),
        ({"batch_size": 3}, "planning", False),
    ):
        now = Digests.of(model, one.but(**changes))
        assert now.changed(before) == (group,)
        assert now.may_change_rows(before) is rows
    other = Digests.of(ModelRef("m", "detect", "e" * 64, "/m"), one)
    assert other.changed(before) == ("model",)
    assert other.may_change_rows(before)
    assert Digests.from_json({**before.to_json(), "tracking": "a later group"}) == before


def test_a_later_option_changes_no_digest_until_it_is_used() -> None:
    digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # of {}
    assert JobOptions.of(**HELD).digests()["rows"] == digest
    assert JobOptions.of(**HELD, threshold=None, polygons=False).digests()["rows"] == digest


def test_what_was_said_wins_over_settings() -> None:
    request = JobRequest.of("/s/", "m", alpha=0.3, slice=(64, 32), merge="nms", max_pixels=5)
    options = request.options(**HELD, batch_size=8, shard_items=None)
    assert options == JobOptions.of(
        **{**HELD, "max_pixels": 5},
        batch_size=8,
        alpha=0.3,
        slicing=Slicing(64, 32, 0.2, "nms"),
    )


def test_a_request_survives_json(monkeypatch: pytest.MonkeyPatch) -> None:
    ref = ModelRef("n", "detect", "d", "/m")
    said: dict[str, Any] = {"since": "7d", "slice": (64, 32), "background": (1, 2, 3)}
    request = JobRequest.of("/s/", "m", ref, detector=ref, tag=("a", "b"), annotate=False, **said)
    assert JobRequest.from_json(json.loads(json.dumps(request.to_json()))) == request
    # An age counts from when it is used.
    monkeypatch.setattr("time.time", lambda: 1e9)
    assert request.selection().since == 1e9 - 7 * 86_400


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"threshold": 1.5}, "--threshold must be between 0 and 1, not 1.5"),
        ({"alpha": float("nan")}, "--alpha must be between 0 and 1, not nan"),
        ({"max_item_bytes": 0}, "--max-item-bytes must be at least 1 bytes"),
        ({"jpeg_quality": 101}, "--jpeg-quality must be 1 to 100"),
        ({"merge": "wbf"}, "--merge must be nmm or nms"),
        ({"tag": ("night", "\n")}, "cannot be a tag"),
    ],
)
def test_what_cannot_be_meant_is_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        JobRequest.of("/s/", "m", **said).check()


def test_no_such_option() -> None:
    with pytest.raises(TypeError, match="no option 'treshold'"):
        JobRequest.of("/s/", "m", treshold=0.5).check()


def test_each_option_has_a_name_of_its_own() -> None:
    assert len({each.name for each in OPTIONS.values()}) == len(OPTIONS)
    assert all(each.help.endswith(".") or ")" in each.help for each in OPTIONS.values())
    assert {each.needs for each in OPTIONS.values()} <= {None, *OPTIONS}
    assert [each.key for each in options_of(Slicing)] == ["overlap", "merge"]
