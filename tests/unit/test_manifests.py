import os
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import FatalError
from core.items import ItemRef
from store.manifests import decode_items, encode_items

text = st.text(st.sampled_from('aZ0 \n"\\\u00e9\ufffd\U0001f6a3'), min_size=1, max_size=8)
items = st.lists(
    st.builds(
        ItemRef,
        index=st.integers(0, 2**63 - 1),
        key=st.binary(min_size=1, max_size=8).map(os.fsdecode) | text,
        uri=st.none() | text,
        size=st.none() | st.integers(0, 2**63 - 1),
        etag=st.none() | text,
        modified=st.none() | st.floats(allow_nan=False),
        kind=st.sampled_from(["image", "video"]),
    ),
    max_size=5,
)


@given(items)
def test_items_come_back_as_they_were(items: list[ItemRef]) -> None:
    assert decode_items(encode_items(items)) == items


@pytest.fixture(scope="module")
def part() -> bytes:
    return encode_items([ItemRef(index, f"{index:05}.jpg") for index in range(5_000)])


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 0), (0, 1), (0, 5_000), (2_047, 2_049), (2_048, 4_096), (4_999, 5_000), (100, 3_000)],
)
def test_a_slice_holds_its_rows(part: bytes, start: int, stop: int) -> None:
    assert [item.index for item in decode_items(part, start, stop)] == list(range(start, stop))


def test_a_slice_may_end_past_the_part(part: bytes) -> None:
    assert [item.index for item in decode_items(part, 4_998)] == [4_998, 4_999]
    assert [item.index for item in decode_items(part, 4_998, 9_999)] == [4_998, 4_999]
    assert decode_items(part, 5_000) == []
    assert decode_items(encode_items([])) == []


def test_equal_items_give_equal_bytes(part: bytes) -> None:
    assert part == encode_items([ItemRef(index, f"{index:05}.jpg") for index in range(5_000)])


def test_any_parquet_reader_sees_the_columns() -> None:
    data = encode_items([ItemRef(7, os.fsdecode(b"a\xff"), size=3)])
    assert pq.read_table(BytesIO(data)).to_pylist() == [
        {
            "index": 7,
            "key": "a\ufffdff",
            "uri": None,
            "size": 3,
            "etag": None,
            "modified": None,
            "kind": "image",
        }
    ]


def test_a_damaged_part(part: bytes) -> None:
    middle = len(part) // 3
    damaged = part[:middle] + bytes(200) + part[middle + 200 :]
    for data in (b"", b"PAR1", part[:-100], damaged):
        with pytest.raises(FatalError):
            decode_items(data)


def test_a_part_of_another_kind_is_refused() -> None:
    buffer = BytesIO()
    pq.write_table(pa.table({"index": [1]}), buffer)
    with pytest.raises(FatalError, match=r"regatta\.items=none"):
        decode_items(buffer.getvalue())
