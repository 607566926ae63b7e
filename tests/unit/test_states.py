import pytest

from core.states import (
    ENDED_JOBS,
    ENDED_SHARDS,
    LIVE_JOBS,
    OUTSTANDING_SHARDS,
    JobMoves,
    JobState,
    Move,
    ShardMoves,
    ShardState,
)


def moves(table: type) -> dict[str, Move]:  # type: ignore[type-arg]
    return {name: move for name, move in vars(table).items() if isinstance(move, Move)}


JOB = moves(JobMoves)
SHARD = moves(ShardMoves)


def reachable(start: set[str], table: dict[str, Move], avoid: str = "REOPEN") -> set[str]:  # type: ignore[type-arg]
    found = set(start)
    while True:
        more = {
            move.target.value
            for name, move in table.items()
            if not name.startswith(avoid) and found & {state.value for state in move.sources}
        }
        if more <= found:
            return found
        found |= more


@pytest.mark.parametrize(("name", "move"), [*JOB.items(), *SHARD.items()])
def test_a_move_is_named_as_it_is_called_and_leads_elsewhere(name: str, move: Move) -> None:  # type: ignore[type-arg]
    assert move.name == name.lower()
    assert move.sources
    assert move.target not in move.sources


def test_only_a_retry_leaves_the_end_of_a_job() -> None:
    leaving = {name for name, move in JOB.items() if move.sources & ENDED_JOBS}
    assert leaving == {"REOPEN", "REOPEN_PLANNING"}
    assert JobState.SUCCEEDED not in JobMoves.REOPEN.sources | JobMoves.REOPEN_PLANNING.sources


def test_only_a_retry_or_a_loss_leaves_the_end_of_a_shard() -> None:
    leaving = {name for name, move in SHARD.items() if move.sources & ENDED_SHARDS}
    assert leaving == {"REOPEN", "LOSE"}


@pytest.mark.parametrize("state", sorted(set(JobState) - ENDED_JOBS))
def test_every_job_can_reach_an_end(state: JobState) -> None:
    assert reachable({state.value}, JOB) & {end.value for end in ENDED_JOBS}


@pytest.mark.parametrize("state", sorted(set(ShardState) - ENDED_SHARDS))
def test_every_shard_can_reach_an_end(state: ShardState) -> None:
    assert reachable({state.value}, SHARD) & {end.value for end in ENDED_SHARDS}


def test_every_state_is_reachable_from_the_first() -> None:
    assert reachable({"planning"}, JOB) == {state.value for state in JobState}
    assert reachable({"waiting"}, SHARD) == {state.value for state in ShardState}


def test_a_committed_result_is_never_taken_back_unless_somebody_deleted_it() -> None:
    leaving = {name for name, move in SHARD.items() if ShardState.COMMITTED in move.sources}
    assert leaving == {"PUBLISH", "LOSE"}
    assert SHARD["PUBLISH"].target is ShardState.DONE
    assert SHARD["LOSE"].target is ShardState.CANCELLED


def test_a_job_that_is_called_off_stays_so() -> None:
    for stopping, end in (
        (JobState.CANCELLING, JobState.CANCELLED),
        (JobState.FAILING, JobState.FAILED),
    ):
        assert {m.target for m in JOB.values() if stopping in m.sources} == {end}


def test_a_job_succeeds_only_when_everything_is_planned() -> None:
    for move in (JobMoves.SUCCEED, JobMoves.END_PARTIAL):
        assert move.sources == {JobState.RUNNING}


def test_a_shard_runs_only_by_a_claim_of_a_queued_one() -> None:
    into = {name for name, move in SHARD.items() if move.target is ShardState.RUNNING}
    assert into == {"CLAIM"}
    assert ShardMoves.CLAIM.sources == {ShardState.QUEUED}


def test_the_sets_of_states() -> None:
    assert {JobState.PLANNING, JobState.RUNNING} == LIVE_JOBS
    assert not LIVE_JOBS & ENDED_JOBS
    assert {ShardState.QUEUED, ShardState.RUNNING} == OUTSTANDING_SHARDS
    assert not OUTSTANDING_SHARDS & ENDED_SHARDS
