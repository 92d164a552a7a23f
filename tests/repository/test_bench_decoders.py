"""The bench of decoders: a row times both sides on every number of threads, and says what each read."""

import json

import numpy as np
import pytest
from bench import bench_decoders, peers

import tegum


@pytest.fixture
def small(monkeypatch):
    for name, value in (("ROUNDS", 1), ("BATCH", 8), ("TRIALS", 4), ("K", 2)):
        monkeypatch.setattr(bench_decoders, name, value)
    monkeypatch.setattr(bench_decoders, "gemm_seconds", lambda flops: flops / 1e9)
    return bench_decoders.problem(128, 60, 2, 8)


def row(name, decoder, solve, samples=2):
    return bench_decoders.Row(name, lambda k: decoder, "a peer", solve, samples, 5, 10)


@pytest.mark.parametrize("solve", [peers.celer_positive, peers.sklearn_omp(2), peers.subspace_pursuit(2), peers.highs])
def test_every_peer_reads_what_is_easy(small, solve):
    dictionary, z, x = small
    found = solve(np.asfortranarray(dictionary.dense().T.numpy()), x[0].numpy())
    assert np.rint(found).tolist() == z.dense()[0].tolist()


def test_a_row_times_both_sides_on_every_number_of_threads_and_says_what_each_read(small, tmp_path):
    line = bench_decoders.race(row("OMP", tegum.decoders.OMP(n_active=2), peers.sklearn_omp(2)), *small)
    assert set(line.seconds) == set(bench_decoders.THREADS)
    assert line.success == (1.0, 1.0)
    assert line.megaflops >= 2 * 2 * 128 * 60 / 1e6  # two products of all directions, and what is small besides
    assert all(ratio > 0 for ratio in line.ratios(1))
    table = bench_decoders.Table((line,), {"OMP": {"N": (1.0, 0.5)}}, "here")
    assert "right 100% and 100%; wanted 5 to 10" in str(table)
    assert "N 1.00 / 0.50" in str(table)
    saved = json.loads(table.save(tmp_path).read_text())
    assert saved["lines"][0]["ratio"]["1"] == line.ratios(1)[0]


def test_the_plain_product_and_topk_is_a_peer_of_whole_batches(small):
    line = bench_decoders.race(row("top-k", tegum.decoders.TopK(n_active=2), None), *small)
    assert line.success[0] == line.success[1]


def test_growth_is_a_power(monkeypatch):
    monkeypatch.setattr(bench_decoders, "GROWTH", {"batch": [(256, 40, 2, 1 << 9), (256, 40, 2, 1 << 12)]})
    ((time, _),) = bench_decoders.growth(lambda k: tegum.decoders.TopK(n_active=k)).values()
    assert 0 < time < 2
