"""The bench of Hadamard dictionaries: its races run, and its ratios are those of rounds, for the whole work."""

import json
import platform

import pytest
import torch
from bench import bench_hadamard
from bench.bench_hadamard import Line, Table
from bench.limits import peak_bytes


def test_the_ratio_is_that_of_rounds_and_is_saved_with_the_machine(tmp_path):
    line = Line("correlate", 2, (1.0, 2.0, 1.0), (20.0, 30.0, 8.0), 0.5, "fresh memory filled in")
    assert line.ratios == (20, 15, 8)
    assert "correlate      2 threads     1000 ms    20000 ms   15.0x (8.0-20.0)" in str(line)
    assert "fresh memory filled in 500 ms, 50% of ours" in str(line)
    table = Table((line,), {"features": (0.9, 0.8)}, 700.0, 300.0, "here")
    assert "peak 700 MB, of which 300 MB" in str(table)
    assert "features 0.90 / 0.80" in str(table)
    saved = json.loads(table.save(tmp_path).read_text())
    assert saved["lines"][0]["ratio"] == 15
    assert (saved["growth"], saved["memory_mb"], saved["machine"]) == ({"features": [0.9, 0.8]}, 700, "here")


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
    monkeypatch.setattr(
        bench_hadamard, "LADDERS", {"batch": [(1 << 10, 64, b, 4) for b in (16, 32, 64)], "k": [(1 << 10, 64, 16, k) for k in (2, 4)]}
    )
    monkeypatch.setattr(bench_hadamard, "in_turn", lambda sides, rounds: [(sides[0].run()[0].numel() ** 1.5,) * rounds])
    monkeypatch.setattr(bench_hadamard, "peak_bytes", lambda work: work()[0].numel() ** 0.5)
    assert {name: tuple(round(power, 9) for power in powers) for name, powers in bench_hadamard.growth().items()} == {
        "batch": (1.5, 0.5),
        "k": (1.5, 0.5),
    }


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks the kernel and glibc")
def test_a_peak_is_what_was_held_at_once_though_memory_was_free_before():
    """16 MiB in blocks of 32 KiB, which the allocator keeps for itself when they are freed; the rest of the process may hold 4 MiB more or less."""

    def hold():
        return len([torch.ones(1 << 13) for _ in range(512)])

    for _ in range(2):
        assert hold() == 512
        assert abs(peak_bytes(hold) - (16 << 20)) < 4 << 20
