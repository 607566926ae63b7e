from core.passed_over import in_words


def test_reasons_are_said_in_one_order_with_plurals() -> None:
    counts = {"not an image": 2800, "hidden": 2, "video": 3, "dangling link": 1, "new": 5}
    assert list(in_words(counts)) == [
        *("3 videos", "2 hidden", "1 dangling link", "2,800 that are no pictures", "5 new")
    ]
    assert list(in_words({"video": 1, "not an image": 1, "FIFO": 2})) == [
        *("1 video", "2 FIFOs", "1 that is no picture")
    ]


def test_what_earlier_versions_counted_is_said_alike() -> None:
    assert list(in_words({"a video, not an image": 3})) == ["3 videos"]
