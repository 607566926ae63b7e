import threading

from core.ways import Way
from store.verdicts import Verdict, give_verdict, verdict_of, verdicts_on
from tests.bench import Bench

ENGINE = "paddle/3.2.2+r2/cpu-avx512/fp32"
VERDICT = Verdict("d" * 64, ENGINE, Way.ONEDNN_UNPLACED, {"worst": 1e-6, "onednn": {}}, 1000.0)


def give(bench: Bench, verdict: Verdict) -> Verdict:
    return bench.db.write(lambda s: give_verdict(s, verdict))


def test_a_network_has_no_verdict_until_one_is_given(bench: Bench) -> None:
    assert bench.db.read(lambda s: verdict_of(s, VERDICT.digest, ENGINE)) is None
    assert give(bench, VERDICT) == VERDICT
    assert bench.db.read(lambda s: verdict_of(s, VERDICT.digest, ENGINE)) == VERDICT
    assert bench.db.read(lambda s: verdict_of(s, VERDICT.digest, "another")) is None


def test_the_first_verdict_stands(bench: Bench) -> None:
    give(bench, VERDICT)
    late = Verdict(VERDICT.digest, ENGINE, Way.PLAIN, {}, 2000.0)
    assert give(bench, late) == VERDICT
    assert bench.db.read(lambda s: verdict_of(s, VERDICT.digest, ENGINE)) == VERDICT


def test_an_engine_has_verdicts_of_its_own(bench: Bench) -> None:
    others = [
        Verdict(VERDICT.digest, "a", Way.PLAIN, {}, 1.0),
        Verdict("e" * 64, ENGINE, Way.ONEDNN, {}, 2.0),
        Verdict("f" * 64, ENGINE, Way.PLAIN, {}, 3.0),
    ]
    for verdict in (VERDICT, *others):
        assert give(bench, verdict) == verdict
    digests = [VERDICT.digest, "e" * 64, "0" * 64]
    found = bench.db.read(lambda s: verdicts_on(s, digests))
    assert found == [others[0], VERDICT, others[1]]
    assert bench.db.read(lambda s: verdicts_on(s, [])) == []


def test_all_obey_one_of_those_who_compared_at_once(bench: Bench) -> None:
    ways = [Way.ONEDNN, Way.PLAIN, Way.ONEDNN_UNPLACED, Way.PLAIN]
    stand: list[Way] = []

    def compare(way: Way) -> None:
        stand.append(give(bench, Verdict(VERDICT.digest, ENGINE, way, {}, 1.0)).way)

    threads = [threading.Thread(target=compare, args=(way,)) for way in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stand) == len(ways)
    assert len(set(stand)) == 1
