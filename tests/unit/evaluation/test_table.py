from pathlib import Path

import pytest

from core.errors import UsageError
from evaluation.truth import Truth
from evaluation.truths.table import read_table


def read(folder: Path, content: str, *, texts: bool = False) -> Truth:
    path = folder / "truth.csv"
    path.write_bytes(content.encode())
    return read_table(str(path), texts=texts)


def test_labels_are_read_whatever_is_in_names(tmp_path: Path) -> None:
    truth = read(
        tmp_path,
        '\ufeffItem,Label\r\n"a,b.jpg","=1+1"\r\n"c\nd.jpg",boat\r\n\r\n"c\nd.jpg",buoy\r\n',
    )
    assert list(truth.names) == ["a,b.jpg", "c\nd.jpg"]
    assert truth.labels == ("=1+1", "boat", "buoy")
    assert truth.things.image.tolist() == [0, 1, 1]
    assert not truth.has_places


def test_boxes_are_those_that_results_print(tmp_path: Path) -> None:
    content = "item,label,score,x1,y1,x2,y2\na.jpg,boat,1,10,20,30,50\nb.jpg,,,,,,\n"
    truth = read(tmp_path, content)
    assert truth.things.xywh.tolist() == [[10, 20, 20, 30]]
    assert list(truth.names) == ["a.jpg", "b.jpg"]
    assert truth.has_places


def test_texts_may_have_four_corners(tmp_path: Path) -> None:
    truth = read(
        tmp_path, "item,text,x1,y1,x2,y2,x3,y3,x4,y4\na,Größe 5,0,0,9,1,9,5,0,4\n", texts=True
    )
    assert truth.things.texts == ["Größe 5"]
    assert truth.things.outlines is not None
    assert truth.things.outlines[0].tolist() == [[0, 0], [9, 1], [9, 5], [0, 4]]
    assert truth.things.xywh.tolist() == [[0, 0, 9, 5]]


def test_columns_of_places_may_be_empty(tmp_path: Path) -> None:
    truth = read(tmp_path, "item,label,x1,y1,x2,y2\na.jpg,sun,,,,\nb.jpg,rain,,,,\n")
    assert truth.labels == ("sun", "rain")
    assert not truth.has_places


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no column 'item'"),
        ("item;label\na;b\n", "no column 'item'"),
        ("item,kind\na,b\n", "no column 'label'"),
        ("item,label\n", "no line below its header"),
        ("item,label\na,b\nc,d,e\n", "line 3: 3 columns, 2 in the header"),
        ("item,label\n,b\n", "line 2: the item has no name"),
        ('item,label\n"a,b\n', "line 2: unexpected end"),
        ("item,label,x1,y1,x2,y2\na,b,1,2,3,x\n", "line 2: could not convert"),
        ("item,label,x1,y1,x2,y2\na,b,1,2,3,inf\n", "line 2: a coordinate is not finite"),
        ("item,label,x1,y1,x2,y2\na,b,1,2,3,1e300\n", "line 2: .* beyond a billion pixels"),
        (f"item,label\na,{'x' * 200_000}\n", "line 2: field larger"),
    ],
)
def test_a_line_that_does_not_fit_is_named(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        read(tmp_path, content)
    assert refused.value.hint
