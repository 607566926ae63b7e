import pytest

from core.formats import FORMATS, IMAGE_SUFFIXES, READ, unread_format


def test_suffixes_are_written_as_they_are_compared() -> None:
    suffixes = [suffix for one in FORMATS for suffix in one.suffixes]
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in suffixes)


def test_no_suffix_is_both_read_and_unread() -> None:
    unread = {suffix for one in FORMATS if one not in READ for suffix in one.suffixes}
    assert not unread & IMAGE_SUFFIXES


@pytest.mark.parametrize(
    ("key", "name"),
    [("a/b.CR2", "camera raw"), ("x.psd", "PSD"), ("a.jpg", None), ("a.txt", None), ("psd", None)],
)
def test_what_is_not_read_has_a_name(key: str, name: str | None) -> None:
    found = unread_format(key)
    assert (found and found.name) == name
