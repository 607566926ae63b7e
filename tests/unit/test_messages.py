import json
import pickle
from typing import Any

import pytest

from core.errors import BadInputError
from core.kinds import TRAITS, ShardKind
from core.messages import ShardMessage, UnknownMessageError, queue_for
from core.options import JobOptions, ModelRef


def test_the_wire_form_of_a_message() -> None:
    message = ShardMessage(shard=7, attempt=3)
    assert json.loads(json.dumps(message.to_json())) == {"version": 1, "shard": 7, "attempt": 3}
    assert ShardMessage.from_json({"version": 1, "shard": 7, "attempt": 3}) == message


def test_what_is_no_inference_travels_as_another_version() -> None:
    """Whoever reads version 1 only takes any shard for inference."""
    message = ShardMessage(shard=7, attempt=3, is_inference=False)
    assert message.to_json() == {"version": 2, "shard": 7, "attempt": 3}
    assert ShardMessage.from_json({"version": 2, "shard": 7, "attempt": 3}) == message


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"shard": 7, "attempt": 3},
        {"version": 3, "shard": 7, "attempt": 3},
        {"version": 1, "shard": "7", "attempt": 3},
        {"version": 1, "shard": 7},
        {"version": 1, "shard": 7, "attempt": True},
        {"version": 1, "shard": 7.0, "attempt": 3},
    ],
)
def test_other_messages_are_left_alone(data: dict[str, Any]) -> None:
    with pytest.raises(UnknownMessageError, match="expected version 1"):
        ShardMessage.from_json(data)


@pytest.mark.parametrize("kind", ShardKind)
def test_kinds_without_an_engine_share_a_queue(kind: ShardKind) -> None:
    expected = "detect" if TRAITS[kind].needs_engine else "media"
    assert queue_for("detect", kind) == expected


def test_options_and_models_survive_json() -> None:
    options = JobOptions.of(max_pixels=1, max_item_bytes=2, jpeg_quality=3, threshold=0.5)
    assert JobOptions.from_json(json.loads(json.dumps(options.to_json()))) == options
    model = ModelRef("n", "detect", "d", "file:///m")
    assert ModelRef.from_json(json.loads(json.dumps(model.to_json()))) == model


def test_a_bad_input_crosses_process_borders() -> None:
    error = pickle.loads(pickle.dumps(BadInputError("too_large", "it is too large")))  # noqa: S301
    assert (error.reason, str(error)) == ("too_large", "it is too large")
