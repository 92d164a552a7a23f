"""The bench of Hadamard dictionaries: its races run, and its ratios are those of rounds, for the whole work."""

import json

from bench import bench_hadamard
from bench.bench_hadamard import Line, Table


def test_the_ratio_is_that_of_rounds_and_is_saved_with_the_machine(tmp_path):
    line = Line("correlate", 2, (1.0, 2.0, 1.0), (20.0, 30.0, 8.0), 0.5, "fresh memory filled in")
    assert line.ratios == (20, 15, 8)
    assert "correlate      2 threads     1000 ms    20000 ms   15.0x (8.0-20.0)" in str(line)
    assert "fresh memory filled in 500 ms, 50% of ours" in str(line)
    table = Table((line,), {"features": 0.9}, 700.0, 300.0, "here")
    assert "peak 700 MB, of which 300 MB" in str(table)
    saved = json.loads(table.save(tmp_path).read_text())
    assert saved["lines"][0]["ratio"] == 15
    assert (saved["growth"], saved["memory_mb"], saved["machine"]) == ({"features": 0.9}, 700, "here")


def test_the_races_run_and_count_the_whole_product(monkeypatch):
    for name, value in (("FEATURES", 1 << 12), ("DIMS", 64), ("BATCH", 20), ("ROUNDS", 1)):
        monkeypatch.setattr(bench_hadamard, name, value)
    monkeypatch.setattr(bench_hadamard, "gemm_seconds", lambda flops: flops)
    monkeypatch.setattr(bench_hadamard, "in_turn", lambda sides, rounds: [(1.0,) for side in sides if side.run() is not None])
    correlate, fused = bench_hadamard.races(1)
    assert (correlate.peer, fused.peer) == ((8.0,), (8.0,))
    assert fused.limit == 2 * 20 * 4096 * 6
    assert correlate.limit > 0


def test_growth_is_fitted_through_the_ladders(monkeypatch):
    monkeypatch.setattr(bench_hadamard, "LADDERS", {"batch": [(1 << 10, 64, b) for b in (16, 32, 64)]})
    monkeypatch.setattr(bench_hadamard, "in_turn", lambda sides, rounds: [(sides[0].run()[0].shape[0] ** 1.5,) * rounds])
    assert abs(bench_hadamard.growth()["batch"] - 1.5) < 1e-9
