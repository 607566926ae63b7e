import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from core.escape import printable_json


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_stays_the_same_json(text: str) -> None:
    shown = printable_json(json.dumps({text: text}, ensure_ascii=False))
    assert json.loads(shown) == {text: text}
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} for c in shown)


def test_json_shows_no_control_characters() -> None:
    shown = printable_json(json.dumps("\x9b31m\u202e\U000e0041", ensure_ascii=False))
    assert shown == '"\\u009b31m\\u202e\\udb40\\udc41"'
