"""The bench of autoencoders: its races run, all sides begin alike, and its ratios are those of rounds."""

import json
import warnings

import pytest
import torch
from bench import bench_autoencoders
from bench.bench_autoencoders import Line, Table


def test_the_ratio_is_that_of_rounds_and_is_saved_with_errors(tmp_path):
    line = Line("SAELens", 2, (0.03, 0.04, 0.02), (0.12, 0.12, 0.12), 0.31, 0.32)
    assert line.ratios == pytest.approx((4, 3, 6))
    assert "4.00x (3.00-6.00)" in str(line)
    assert "error left 0.3100 against 0.3200" in str(line)
    table = Table((line,), {2: 0.01}, {2: 0.005}, "here")
    assert "10.0 ms product, 5.0 ms Adam: 50% of ours" in str(table)
    saved = json.loads(table.save(tmp_path).read_text())
    assert saved["lines"][0]["ratio"] == pytest.approx(4)
    assert saved["machine"] == "here"


def test_after_the_same_batches_all_sides_have_the_same_error(monkeypatch):
    """Small, with a few dozen steps: three ways of clipping, scaling and constraining leave .5% of the variance between them."""
    small = {"DIMS": 32, "FEATURES": 128, "ACTIVE": 8, "BATCH": 64, "ROUNDS": 5, "STEPS": 6, "BATCHES": 40}
    for name, value in small.items():
        monkeypatch.setattr(bench_autoencoders, name, value)
    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lines = bench_autoencoders.race(threads)
    assert [line.peer for line in lines] == ["SAELens", "SAELens, sparse codes", "sparsify"]
    assert all(len(line.seconds) == 5 for line in lines)
    assert 0 < lines[0].error < 1
    assert [line.peer_error for line in lines] == pytest.approx([lines[0].error] * 3, abs=0.005)
