from typing import Any

from cli.dryrun import _expected_in_words


def words(**changes: Any) -> dict[str, str]:
    known = {
        "seconds": 725.0,
        "workers": 3,
        "workers_unmeasured": 0,
        "is_up": True,
        "cost": None,
        "last_estimates": None,
    }
    return _expected_in_words(known | changes)


def test_a_known_model_has_a_time_and_says_how_good_such_times_were() -> None:
    assert words() == {
        "takes": "12m 05s on 3 workers, once they have loaded it",
        "estimates": "none has been checked against a job yet",
    }
    record = {"number": 5, "typical_error": 0.12, "worst_error": 0.4}
    said = words(last_estimates=record, cost=1.2082, workers_unmeasured=1)
    assert said == {
        "takes": "12m 05s on 3 workers, once they have loaded it; "
        "less, since 1 more worker has not run it yet",
        "estimates": "off by 12% in the last 5 jobs of this model (at most 40%)",
        "costs": "1.21",
    }
    record = {"number": 1, "typical_error": 0.12, "worst_error": 0.12}
    assert words(last_estimates=record)["estimates"] == "off by 12% in the last job of this model"
    assert words(cost=0.0004)["costs"] == "less than 0.01"
    assert words(is_up=False, workers=1)["takes"] == (
        "12m 05s on 1 worker like those that ran it before (none is up), once they have loaded it"
    )


def test_an_unknown_model_has_none() -> None:
    unknown = "this model has never been measured; running it measures it"
    assert words(seconds=None, workers=0, workers_unmeasured=2) == {
        "takes": f"unknown: 2 workers up, but {unknown}"
    }
    assert words(seconds=None, workers=0, is_up=False) == {
        "takes": f"unknown: no worker is up, and {unknown}"
    }
