from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UsageError
from core.job_file import parse_job, render_job
from core.options import ModelRef

FOLDER = Path("/jobs/harbour")


def test_paths_start_at_the_file() -> None:
    said = parse_job(
        'source = "photos/*.jpg"\nmodel = ["picodet", "./pose", "a/b", "/abs/m", "~/m"]\n'
        'output = "s3://bucket/out"\n',
        FOLDER,
    )
    assert said == {
        "source": ("/jobs/harbour/photos/*.jpg",),
        "model": ("picodet", "/jobs/harbour/pose", "/jobs/harbour/a/b", "/abs/m", "~/m"),
        "output": "s3://bucket/out",
    }


def test_values_are_written_as_people_write_them() -> None:
    said = parse_job(
        'model = "m"\nmin-size = "10kB"\nmax_size = 20000\nslice = 640\nbackground = "white"\n'
        'since = 2026-01-31\ntag = "night"\nannotate = false\nthreshold = 1\npriority = 7\n',
        FOLDER,
    )
    assert said == {
        "model": ("m",),
        "min_size": 10_000,
        "max_size": 20_000,
        "slice": (640, 640),
        "background": (255, 255, 255),
        "since": "2026-01-31",
        "tag": ("night",),
        "annotate": False,
        "threshold": 1.0,
        "priority": 7,
    }


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("treshold = 0.5", "'treshold' is not an option", "'threshold'"),
        ("batch_sise = 2", "'batch_sise' is not an option", "'batch-size'"),
        ("[everything]\nthreshold = 0.5", "'everything' is not an option", "threshold"),
        ("zzzzzz = 1", "is not an option", "there are source, model"),
        ("threshold = '0.5'", "threshold: '0.5' is not a number", None),
        ("annotate = 1", "annotate: 1 is neither true nor false", None),
        ("priority = true", "priority: True is not a whole number", None),
        ("min-size = '5 apples'", "min-size: '5 apples' is not a size", None),
        ("slice = '640,480'", "is not the size of a tile", None),
        ("background = [1, 2]", "is not 3 numbers", None),
        ("since = 'yesterday'", "not a date or age", None),
        ("model = 3", "model: 3 is not text", None),
        ("source = ''", "source: '' is not text", None),
        ("source", "it is not TOML", None),
    ],
)
def test_what_a_job_file_may_not_say(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_job(text, FOLDER)
    if hint is not None:
        assert hint in (caught.value.hint or "")


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
colours = st.tuples(*[st.integers(0, 255)] * 3)


@given(
    st.fixed_dictionaries(
        {"model": st.lists(texts.map(lambda text: f"/{text}"), min_size=1).map(tuple)},
        optional={
            "name": texts,
            "tag": st.lists(texts, min_size=1).map(tuple),
            "include": st.lists(texts, min_size=1).map(tuple),
            "priority": st.integers(0, 9),
            "threshold": st.floats(0, 1),
            "max_size": st.integers(0, 2**60),
            "since": st.sampled_from(["7d", "2026-01-31"]),
            "slice": st.tuples(st.integers(32, 9999), st.integers(32, 9999)),
            "merge": st.sampled_from(["nms", "nmm"]),
            "polygons": st.booleans(),
            "background": colours,
        },
    )
)
def test_what_is_written_is_read(said: dict[str, Any]) -> None:
    assert parse_job(render_job(["/photos/"], said), FOLDER) == {"source": ("/photos/",), **said}


def test_several_sources_are_a_list() -> None:
    said = parse_job('source = ["a/", "s3://b/c", "/d.txt"]', FOLDER)
    assert said == {"source": ("/jobs/harbour/a/", "s3://b/c", "/d.txt")}
    assert render_job(["/a/", "/b/"], {}) == 'source = ["/a/", "/b/"]\n'
    assert parse_job(render_job(said["source"], {}), FOLDER) == said


def test_a_moment_is_written_as_a_date() -> None:
    text = render_job(["/photos/"], {"since": 3600.5})
    assert text == 'source = "/photos/"\nsince = 1970-01-01T01:00:00.500000Z\n'
    assert parse_job(text, FOLDER)["since"] == "1970-01-01T01:00:00.500000+00:00"


def test_what_no_job_file_can_say() -> None:
    with pytest.raises(UsageError, match="not UTF-8"):
        render_job(["/photos/\udcff/"], {})
    with pytest.raises(UsageError, match="has no name"):
        render_job(["/photos/"], {"model": (ModelRef("both", "keypoint", "d", ""),)})


def test_a_job_file_that_is_too_deep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nested too deeply"):
        parse_job("a = " + "[" * 100_000, tmp_path)
