import tracemalloc

import pytest

from vision.exports.bounded_yaml import LARGEST_BYTES, parse_yaml

BOMB = "\n".join(
    [
        "l0: &l0 [x,x,x,x,x,x,x,x,x]",
        *(f"l{i}: &l{i} [{','.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 10)),
        "label_list: [*l9]",
    ]
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: " + "[" * 100_000 + "]" * 100_000, "nested more than 64 levels"),
        ("- " * 65 + "x", "nested more than 64 levels"),
        ("? " * 100_000, "nested more than 64 levels"),
        (BOMB, "stands for more than 200,000 values"),
        ("[" + "a," * 200_001 + "]", "stands for more than 200,000 values"),
        ("a: &a [*a]", r"\*a stands for nothing, or for itself"),
        ("a: *b", "b"),
        ("x" * (LARGEST_BYTES + 1), "more than 4,194,304 characters"),
        ("a: " + "9" * 5000, "a number of 5,000 characters"),
        ("a: 1" + ":00" * 1_000_000, "a number of 3,000,001 characters"),
        ('a: !!int "1' + ": 0" * 1_000_000 + '"', "a number of 3,000,001 characters"),
        ("a: 2001-99-99", "a value in it is odd"),
        ("a: !!int ''", "a value in it is odd"),
        ("a: !!timestamp x", "a value in it is odd"),
        ("a: !!bool x", "a value in it is odd"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
        ("a: [", "expected"),
        ("a: \0", "control characters"),
    ],
)
def test_what_is_refused_takes_little_memory(text: str, said: str) -> None:
    tracemalloc.start()
    with pytest.raises(ValueError, match=said):
        parse_yaml(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 << 20


def test_aliases_as_exporters_write_them() -> None:
    text = "a: &id001 [1, 2]\nb: *id001\nc: {<<: {d: 3}, e: *id001}"
    assert parse_yaml(text) == {"a": [1, 2], "b": [1, 2], "c": {"d": 3, "e": [1, 2]}}
