from pathlib import PurePosixPath

import pytest

from annotations.names import Names, safe_path, without_suffix
from tests.found import KEYS


def test_names_stay_plain_and_in_their_folder() -> None:
    assert safe_path("a/b c,d.jpg") == "a/b c,d.jpg"
    assert safe_path("図/車.jpg") == "図/車.jpg"
    assert safe_path("../x\n\\.jpg") == "%2E%2E/x%0A%5C.jpg"
    assert safe_path("/abs//100%.jpg") == "%/abs/%/100%25.jpg"
    assert safe_path("bad\udcff\u2028.jpg") == "bad%FF%E2%80%A8.jpg"


def test_different_keys_have_different_names() -> None:
    keys = [*KEYS, "new%0Aline.jpg", "x" * 300 + ".jpg", "x" * 301 + ".jpg", "車" * 100 + ".png"]
    names = [safe_path(key) for key in keys]
    assert len(set(names)) == len(keys)
    assert all(len(PurePosixPath(name).name.encode()) <= 250 for name in names)
    assert all(PurePosixPath(name).suffix in {".jpg", ".png"} for name in names)


def test_names_differ_by_their_stems_where_they_must() -> None:
    names = Names(by_stem=True)
    keys = ["a/x.jpg", "a/x.png", "b/x.jpg", "a/x_png.jpg", "a/x.png", "x", "x"]
    found = [names.name_of(key) for key in keys]
    assert found[:4] == ["a/x.jpg", "a/x_png.png", "b/x.jpg", "a/x_png_jpg.jpg"]
    assert len({without_suffix(name) for name in found}) == len(keys)


def test_frames_of_one_item_have_names_of_their_own() -> None:
    names = Names(by_stem=False)
    assert [names.name_of("v.mp4", frame) for frame in (0, 1)] == ["v_000000.mp4", "v_000001.mp4"]


def test_pictures_that_stay_are_called_what_their_items_are() -> None:
    assert Names(by_stem=False, as_items=True).name_of("a/100%\n.jpg") == "a/100%\n.jpg"


@pytest.mark.parametrize("by_stem", [False, True])
def test_no_file_and_folder_have_one_name(by_stem: bool) -> None:
    names = Names(by_stem=by_stem)
    keys = ["a.jpg", "a.jpg/b.jpg", "a.jpg/c.jpg", "d.png/e.jpg", "d.png", "a/f.jpg", "d/g.jpg"]
    assert [names.name_of(key) for key in keys] == [
        *("a.jpg", "a.jpg_/b.jpg", "a.jpg_/c.jpg", "d.png/e.jpg", "d_png.png"),
        *("a/f.jpg", "d/g.jpg"),
    ]


def test_a_reserved_name_is_no_folders() -> None:
    names = Names(by_stem=True, reserved="images")
    keys = ["images/a.jpg", "images_/a.png", "images_/images/images.jpg", "images.jpg"]
    assert [names.name_of(key) for key in keys] == [
        *("images_/a.jpg", "images_/a_png.png", "images_/images_/images.jpg", "images.jpg")
    ]
