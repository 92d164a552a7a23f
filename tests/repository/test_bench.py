"""The bench: contests are timed in turn, and the ratio is that of rounds, not of minutes."""

import json

from bench import bench_estimators, bench_toys
from bench.bench_estimators import Point, Table
from bench.interleave import Result, Side, interleave


def test_sides_are_timed_in_turn_after_one_run_each_that_is_not_counted():
    order = []
    result = interleave(
        "x", "nothing", Side("a", lambda: order.append("a")), Side("b", lambda: order.append("b")), limit=("nothing", 0.5), rounds=3
    )
    assert order == ["a", "b"] * 4
    assert [len(side) for side in result.seconds] == [3, 3]


def test_the_ratio_is_the_median_of_rounds_and_is_saved_with_the_machine(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("bench.interleave.time.perf_counter", lambda: clock[0])
    naps = {"a": iter([9.0, 1.0, 10.0, 1.0]), "b": iter([9.0, 2.0, 30.0, 8.0])}  # the machine was slow in the second round

    def side(label):
        return Side(label, lambda: clock.__setitem__(0, clock[0] + next(naps[label])))

    result = interleave("naps", "sleeping", side("a"), side("b"), limit=("nothing", 0.5), rounds=3)
    assert result.ratios == (2.0, 3.0, 8.0)
    assert "a is 3.00 times as fast (rounds from 2.00 to 8.00)" in str(result)
    assert "limit: 500 ms (nothing); a takes 2 times that" in str(result)
    file = result.save(tmp_path)
    assert file.name.endswith("-naps.json")
    saved = json.loads(file.read_text())
    assert saved["ratio"] == {"median": 3.0, "min": 2.0, "max": 8.0}
    assert "torch" in saved["machine"]


def test_noise_times_time_is_what_decides_between_estimators(tmp_path):
    race = Result("estimators", "steps", ("stratified", "sampled"), ((4.0, 4.0, 4.0), (2.0, 2.0, 2.0)), "here", ("nothing", 1.0))
    dear, worth = Point(20, 0.1, 100, race, (1.5, 1.0)), Point(20, 0.01, 100, race, (30.0, 1.0))
    assert (dear.gain, worth.gain) == (0.75, 15.0)  # twice the time for two thirds of the noise, and for a thirtieth
    table = Table((dear, worth))
    assert "    0.01      20000.0      40000.0             30             15" in str(table)
    saved = json.loads(table.save(tmp_path).read_text())
    assert [line["gain"] for line in saved["points"]] == [0.75, 15.0]
    assert saved["points"][0]["race"]["machine"] == "here"


def test_the_race_of_estimators_runs(monkeypatch):
    for name, value in (("ROUNDS", 1), ("SAMPLES", 4000), ("TRAINED", 2), ("BATCH", 64)):
        monkeypatch.setattr(bench_estimators, name, value)
    monkeypatch.setattr(bench_estimators, "gemm_seconds", lambda flops: 1.0)
    found = bench_estimators.point(4, 2, 0.05, 3)
    assert found.gain > 0
    assert found.variances[0] > 5 * found.variances[1]


def test_the_fastest_way_of_each_peer_is_the_one_to_beat_round_by_round(tmp_path):
    microseconds = {
        "tegum": (10.0, 20.0, 10.0),
        "notebook, 1 thread": (500.0, 900.0, 600.0),
        "notebook, 2 threads": (400.0, 1000.0, 300.0),
        "careful eager, 1 thread": (100.0, 300.0, 90.0),
        "careful compiled, 1 thread": (200.0, 200.0, 200.0),
    }
    line = bench_toys.Line(bench_toys.Work(10, 5, 2, 0.1, 100, 10), microseconds, 1e6, 5.0)
    assert line.best("notebook") == "notebook, 2 threads"
    assert line.ratios("notebook") == (40, 50, 30)
    assert line.ratios("careful") == (10, 15, 9)
    table = bench_toys.Table((line,), {"batch": 0.5}, 123.0, (5.0, 9.0), "here")
    assert "40.0x (30-50, notebook, 2 threads)" in str(table)
    assert "10.0x (9-15, careful eager, 1 thread)" in str(table)
    assert "(200 GFLOP/s)" in str(table)
    assert "50%" in str(table)
    saved = json.loads(table.save(tmp_path).read_text())
    assert (saved["lines"][0]["notebook_ratio"], saved["lines"][0]["careful_ratio"]) == (40, 10)
    assert (saved["memory_mb"], saved["compile_seconds"], saved["machine"]) == (123, [5, 9], "here")


def test_the_race_of_toys_runs(monkeypatch):
    monkeypatch.setattr(bench_toys, "ROUNDS", 1)
    monkeypatch.setattr(bench_toys, "THREADS", 1)
    monkeypatch.setattr(bench_toys, "gemm_seconds", lambda flops: 1.0)
    monkeypatch.setattr(bench_toys, "compiled_steps", bench_toys.careful_steps)  # the compiler takes longer than all the rest
    line = bench_toys.line(bench_toys.Work(2, 4, 2, 0.1, 5, 2))
    assert set(line.microseconds) == {"tegum", "notebook, 1 thread", "careful eager, 1 thread", "careful compiled, 1 thread"}
    assert all(each[0] > 0 for each in line.microseconds.values())
    monkeypatch.setattr(bench_toys, "LADDERS", {"batch": [(2, 4, 2, batch, 0.1) for batch in (1 << 18, 1 << 20)]})
    assert 0 < bench_toys.growth()["batch"] < 2
