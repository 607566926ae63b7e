"""Recipes of several models for one picture: what is asked together, and who gets which output."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from core.errors import BadInputError
from core.items import ItemRef
from core.work import WorkUnit
from tests.workshop import new_run
from vision.ops.preprocess import Prepared
from worker.models import Member, ResidentModel
from worker.pipeline.budget import PictureMemory
from worker.pipeline.flow import Flow
from worker.pipeline.inquiry import Failure, Inquiry, PendingAsk
from worker.recipes.recipe import Ask, Steps

NOTHING: Any = None
IMAGE = np.zeros((6, 8, 3), np.uint8)


class Scripted:
    """A recipe that asks so often in each step, and answers with all that it got."""

    def __init__(self, *steps: int, error: Exception | None = None) -> None:
        self._asks = steps
        self._error = error

    def revisits(self, options: object) -> bool:
        return True

    def steps(self, image_bgr: Any, options: object) -> Steps:
        got: list[Any] = []
        for count in self._asks:
            got += yield [Ask("eye", prepared(n)) for n in range(count)]
        if self._error is not None:
            raise self._error
        answer: Any = got
        return answer


def prepared(number: int) -> Prepared:
    pair = np.ones(2, np.float32)
    return Prepared(np.full((1, 1, 1), number, np.float32), pair, pair)


@pytest.fixture
def inquiry(unit: WorkUnit) -> Callable[..., Inquiry]:
    def make(*recipes: Scripted) -> Inquiry:
        networks: Any = [{"eye": f"network {n}"} for n in range(len(recipes))]
        members = [Member(f"m{n}", "t", recipe, networks[n]) for n, recipe in enumerate(recipes)]
        flow = Flow(
            new_run(unit),
            ResidentModel(tuple(members)),
            NOTHING,
            memory=PictureMemory(1),
            window=1,
            put=NOTHING,
        )
        return Inquiry(flow.enter(ItemRef(0, "0.png")), None)

    return make


def asked(inquiry: Inquiry) -> Sequence[PendingAsk]:
    asks = inquiry.take_asks()
    assert inquiry.take_asks() == ()
    return asks


def test_all_models_ask_together_and_each_gets_its_own(inquiry: Callable[..., Inquiry]) -> None:
    one = inquiry(Scripted(1, 2), Scripted(2))
    one.begin(IMAGE)
    first = asked(one)
    assert [ask.network for ask in first] == ["network 0", "network 1", "network 1"]
    ended = [one.give(ask, f"output {ask.place}") for ask in reversed(first)]
    assert ended == [False, False, True]
    one.resume()
    assert not one.is_answered
    second = asked(one)
    assert [ask.network for ask in second] == ["network 0"] * 2
    for ask in second:
        one.give(ask, f"further {ask.place}")
    one.resume()
    assert one.is_answered
    assert asked(one) == []
    assert [(member.name, answer) for member, answer in one.answers] == [
        ("m0", ["output 0", "further 0", "further 1"]),
        ("m1", ["output 1", "output 2"]),
    ]


def test_steps_that_ask_nothing_are_taken_at_once(inquiry: Callable[..., Inquiry]) -> None:
    one = inquiry(Scripted(0, 1, 0), Scripted())
    one.begin(IMAGE)
    [ask] = asked(one)
    one.give(ask, "output")
    one.resume()
    assert [answer for _, answer in one.answers] == [["output"], []]


def test_an_ask_that_fails_ends_its_model_only(inquiry: Callable[..., Inquiry]) -> None:
    one = inquiry(Scripted(2, 1), Scripted(1))
    one.begin(IMAGE)
    failure = Failure("predict_failed", "no")
    for ask in asked(one):
        one.give(ask, failure if ask.place == 1 else "output")
    one.resume()
    assert [answer for _, answer in one.answers] == [failure, ["output"]]


def test_what_a_recipe_cannot_answer_is_a_failure(inquiry: Callable[..., Inquiry]) -> None:
    one = inquiry(Scripted(error=BadInputError("model_output_invalid", "NaN")), Scripted())
    one.begin(IMAGE)
    assert [str(answer) for _, answer in one.answers] == ["model_output_invalid: NaN", "[]"]


def test_a_dropped_ask_ends_the_step_with_the_others(inquiry: Callable[..., Inquiry]) -> None:
    one = inquiry(Scripted(2))
    one.begin(IMAGE)
    first, _ = asked(one)
    assert not one.give(first, "output")
    assert one.drop()
    assert one.is_dropped
