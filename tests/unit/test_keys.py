import os
import re
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.errors import BadInputError
from core.keys import OUTPUT_SUFFIXES, encode_key, key_to_text, text_to_key

# Bytes that meet often, so that near-collisions are generated rather than hoped for.
short = b"a|A|.|..|/|~|%|%2E|.jpg|.JPG|.png|2E|\xff|\xc3\xa9|\xef\xbf\xbd| |-".split(b"|")
awkward = st.sampled_from([*short, b"x" * 90, b"X" * 90, b"d/" * 120])
keys = st.one_of(
    st.lists(awkward, min_size=1, max_size=8).map(b"".join), st.binary(min_size=1)
).map(os.fsdecode)
suffixes = st.sampled_from(OUTPUT_SUFFIXES)


def hexdigest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a.png", "a.png.jpg"),
        ("street/0001.jpg", "street/0001.jpg.jpg"),
        ("a b~%.png", "a%20b%7E%25.png.jpg"),
        ("\u00e9", "%C3%A9.jpg"),
        ("..", "%2E%2E.jpg"),
        ("../a", "%2E%2E/a.jpg"),
        ("./a", "%2E/a.jpg"),
        (".../a", ".../a.jpg"),
        ("/a", "%/a.jpg"),
        ("a//b", "a/%/b.jpg"),
        ("a/", "a/%.jpg"),
        ("a\\b", "a%5Cb.jpg"),
        ("a\0b", "a%00b.jpg"),
        (os.fsdecode(b"\xff.png"), "%FF.png.jpg"),
        ("x.png/b", "x%2Epng/b.jpg"),
        ("v1.2/b", "v1.2/b.jpg"),
        ("IMG_1.JPG", f"IMG_1.JPG~{hexdigest('IMG_1.JPG')[:12]}.jpg"),
        ("Street/a", f"Street/a~{hexdigest('Street/a')[:12]}.jpg"),
    ],
)
def test_encoded_keys(key: str, expected: str) -> None:
    assert encode_key(key, ".jpg") == expected


def test_a_segment_of_180_bytes_is_kept_and_one_of_181_is_cut_to_as_many() -> None:
    assert encode_key("x" * 180, ".png") == "x" * 180 + ".png"
    cut = encode_key("x" * 181, ".png")
    assert cut == "x" * 147 + "~" + hexdigest("x" * 181)[:32] + ".png"


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_a_cut_never_splits_a_percent_triple(shift: int) -> None:
    name = encode_key("x" * shift + "\u00e9" * 100, ".png").partition("~")[0]
    assert re.fullmatch(r"x*(%C3%A9)*(%C3)?", name)


def test_directories_that_make_a_key_too_long_are_hashed_and_the_name_is_kept() -> None:
    directories = "/".join(["d" * 99] * 12)
    encoded = encode_key(f"{directories}/a.png", ".jpg").split("/")
    assert encoded == [*["d" * 99] * 8, "~" + hexdigest(directories)[:32], "a.png.jpg"]


@given(first=keys, second=keys, suffix=suffixes)
@example("a", "A", ".jpg")
@example("Ab", "aB", ".jpg")
@example("a/b", "A/b", ".jpg")
@example("a//b", "a/%/b", ".jpg")
@example("\u00e9", "%c3%a9", ".jpg")
@example("x" * 200, "X" * 200, ".jpg")
@example("d/" * 600 + "a", "D/" * 600 + "a", ".jpg")
def test_keys_stay_apart_even_where_case_does_not_matter(
    first: str, second: str, suffix: str
) -> None:
    if first != second:
        assert encode_key(first, suffix).lower() != encode_key(second, suffix).lower()


@given(first=keys, second=keys, one=suffixes, other=suffixes)
@example("a.jpg", "a.jpg.jpg/b", ".jpg", ".png")
@example("a.jpg", "A.JPG.JPG/b", ".jpg", ".jpg")
@example("x", "x.webp/a", ".webp", ".webp")
@example("x", "X.WEBP/a", ".webp", ".webp")
def test_no_output_is_a_directory_of_another(first: str, second: str, one: str, other: str) -> None:
    if ".webp" in {one, other}:
        one = other = ".webp"  # a folder's pictures have one format
    file, inner = encode_key(first, one).lower(), encode_key(second, other).lower()
    assert not inner.startswith(f"{file}/")


@given(key=keys, suffix=suffixes)
def test_encoded_keys_are_tame(key: str, suffix: str) -> None:
    encoded = encode_key(key, suffix)
    assert re.fullmatch(r"[A-Za-z0-9._/~%-]+", encoded)
    assert encoded.endswith(suffix)
    assert len(encoded) <= 900
    segments = encoded.split("/")
    assert not {"", ".", ".."} & set(segments)
    assert max(map(len, segments)) <= 255


def test_a_suffix_that_came_later_changes_no_other_keys() -> None:
    assert encode_key("x.webp/a.png", ".jpg") == "x.webp/a.png.jpg"
    assert encode_key("x.webp/a.png", ".webp") == "x%2Ewebp/a.png.webp"
    assert encode_key("x.jpg/a.png", ".webp") == "x%2Ejpg/a.png.webp"


def test_an_unknown_suffix_is_a_bug() -> None:
    with pytest.raises(ValueError, match="not an output suffix"):
        encode_key("a", ".exe")


@pytest.mark.parametrize("key", ["\ud800", "\udcc3\udca9"])
def test_text_that_no_bytes_decode_to_is_no_key(key: str) -> None:
    with pytest.raises(BadInputError) as caught:
        encode_key(key, ".jpg")
    assert caught.value.reason == "bad_key"


@given(keys)
def test_text_of_a_key_is_valid_and_leads_back(key: str) -> None:
    text = key_to_text(key)
    assert text.encode().decode() == text
    assert text_to_key(text) == key


def test_text_shows_undecodable_bytes_in_hex() -> None:
    assert key_to_text(os.fsdecode(b"caf\xe9.jpg")) == "caf\ufffde9.jpg"
    assert key_to_text("\ufffde9") == "\ufffd\ufffde9"
    assert key_to_text("\u00e9") == "\u00e9"


def test_a_lone_high_surrogate_has_no_text() -> None:
    with pytest.raises(BadInputError) as caught:
        key_to_text("a\ud800")
    assert caught.value.reason == "bad_key"
