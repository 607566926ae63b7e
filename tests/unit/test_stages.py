from core.stages import busy_seconds


def test_stages_add_up_in_the_order_of_the_pipeline() -> None:
    timings = [
        {"predict": 2.0, "decode": 0.5, "total": 9, "halved_to_batch": 4},
        None,
        {"predict": 1.0, "fetch": 0.25, "upload": 0.0},
    ]

    assert list(busy_seconds(timings).items()) == [("fetch", 0.25), ("decode", 0.5), ("predict", 3)]
    assert busy_seconds([None]) == {}
