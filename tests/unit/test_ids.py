import random
import re

from core.ids import new_id
from core.layout import annotated_image, items_part, part_name, results_part, staged_results_part


def test_ids_are_short_lower_case_and_easy_to_read() -> None:
    rng = random.Random(0)
    ids = [new_id(rng) for _ in range(1000)]
    assert all(re.fullmatch("[0-9a-hjkmnp-tv-z]{10}", job) for job in ids)
    assert len(set(ids)) == 1000


def test_short_prefixes_tell_jobs_of_one_minute_apart() -> None:
    rng = random.Random(0)
    assert len({new_id(rng)[0] for _ in range(1000)}) == 32


def test_where_things_lie() -> None:
    assert items_part(3, 2) == "items/part-00003-2.parquet"
    assert results_part(part_name(12)) == "results/part-000012.parquet"
    assert staged_results_part(part_name(12), 4) == "_attempts/000012/4/part.parquet"
    assert annotated_image("a b/c.png") == "annotated/a%20b/c.png.jpg"


def test_no_two_attempts_share_a_part() -> None:
    parts = {items_part(n, a) for n in range(30) for a in range(30)}
    staged = {staged_results_part(part_name(n), a) for n in range(30) for a in range(30)}
    assert len(parts) == len(staged) == 900


def test_parts_sort_as_they_are_numbered() -> None:
    keys = [results_part(part_name(n)) for n in (0, 9, 10, 99_999, 100_000)]
    assert keys == sorted(keys)
