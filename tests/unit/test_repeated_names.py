from hypothesis import given
from hypothesis import strategies as st

from scheduler import repeated_names
from scheduler.repeated_names import Names, Seen


@given(st.lists(st.sampled_from([f"{n}.jpg" for n in range(12)] + ["\udcff", "\ud800"])))
def test_names_are_compared_to_the_same_block_and_to_those_before(listed: list[str]) -> None:
    block, repeated_names.NEAR_ENTRIES = repeated_names.NEAR_ENTRIES, 5
    try:
        names = Names()
        found = [names.see(name) for name in listed]
    finally:
        repeated_names.NEAR_ENTRIES = block
    for place, name in enumerate(listed):
        start = place - place % 5
        expected = Seen.FAR if name in listed[:start] else Seen.NEVER
        assert found[place] is (Seen.NEAR if name in listed[start:place] else expected)


def test_hundreds_of_thousands_of_names_are_told_apart() -> None:
    names = Names()
    assert {names.see(f"{number}.jpg") for number in range(200_000)} == {Seen.NEVER}
    assert names.see("3.jpg") is Seen.FAR
