"""What the answer to 'who can read it' is made of: refits against other libraries, paired intervals against simulations."""

import math

import numpy as np
import pytest
import scipy.optimize
import torch

from tegum.auditing._paired import Estimate, Resampled, explained, gained, groups_of, summed
from tegum.auditing._read_refit import refitted
from tegum.decoders import Values
from tegum.dictionaries.dense import Dense
from tegum.features import SparseCodes
from tegum.learning import metrics


@pytest.mark.parametrize("seed", range(3))
def test_refitted_values_are_those_of_scipys_nonnegative_least_squares(seed: int):
    draw = torch.Generator().manual_seed(seed)
    table = torch.randn(40, 12, generator=draw).double()
    table[5] = 0  # a dead direction
    x = torch.randn(50, 12, generator=draw).double()
    on = torch.rand(50, 40, generator=draw).argsort(dim=1)[:, :15]  # more features than dims: the fit is not unique, the residual is
    on[:, 8:] = torch.where(torch.rand(50, 7, generator=draw) < 0.5, -1, on[:, 8:])
    z = SparseCodes(on, torch.ones(50, 15, dtype=torch.float64), 40)
    found = refitted(Dense(table), x, z)
    assert bool((found.values >= 0).all())
    for row in range(50):
        chosen = on[row][on[row] >= 0]
        best = scipy.optimize.nnls(table[chosen].T.numpy(), x[row].numpy())[1]
        left = float((x[row] - Dense(table).encode(found[row])[0]).norm())
        assert left == pytest.approx(best, abs=1e-5)  # the ridge of 1e-10 moves values of size 10 along null directions by its root at most
        assert set(found.indices[row][found.indices[row] >= 0].tolist()) <= set(chosen.tolist())


def test_signed_values_are_refitted_by_least_squares():
    draw = torch.Generator().manual_seed(3)
    table, x = torch.randn(20, 10, generator=draw).double(), torch.randn(30, 10, generator=draw).double()
    on = torch.rand(30, 20, generator=draw).argsort(dim=1)[:, :4]
    found = refitted(Dense(table), x, SparseCodes(on, torch.ones(30, 4, dtype=torch.float64), 20), Values.SIGNED).dense()
    for row in range(30):
        best = np.linalg.lstsq(table[on[row]].T.numpy(), x[row].numpy(), rcond=None)[0]
        assert found[row, on[row]].numpy() == pytest.approx(best, abs=1e-8)  # the ridge: 1e-10 times a condition number below 1e2


def test_a_refit_of_nothing_is_nothing():
    none = SparseCodes(torch.full((4, 2), -1), torch.zeros(4, 2), 6)
    assert int(refitted(Dense(torch.eye(6)), torch.ones(4, 6), none).n_active.sum()) == 0


def test_paired_estimates_are_the_metrics_of_the_rows():
    x = torch.randn(500, 32, generator=torch.Generator().manual_seed(0))
    y, other = x + 0.1, x * 0.5
    groups = groups_of(torch.arange(500))
    spread = summed((x - x.mean(0)).square().sum(1), groups)
    errors = [summed((x - one).square().sum(1), groups) for one in (y, other)]
    drawn = Resampled(int(groups.max()) + 1)
    value = drawn.estimate(explained, errors[0], spread).value
    assert value == pytest.approx(metrics.explained_variance(x, y), abs=1e-6)  # sums are kept to seven digits
    difference = drawn.estimate(gained, *errors, spread).value
    assert difference == pytest.approx(metrics.explained_variance(x, y) - metrics.explained_variance(x, other), abs=1e-6)


def test_rows_of_a_document_share_a_group_and_groups_are_alike_in_documents():
    documents = torch.arange(1_000).repeat_interleave(3)
    groups = groups_of(documents, seed=4)
    assert bool((groups.reshape(-1, 3) == groups[::3, None]).all())
    counts = torch.bincount(groups[::3])
    assert len(counts) == 256
    assert int(counts.max() - counts.min()) <= 1


@pytest.mark.parametrize(("documents", "least"), [(12, 0.90), (60, 0.92)])
def test_intervals_hold_the_truth_in_95_of_100_worlds_of_documents(documents: int, least: float):
    """Errors of two readers share a document's level. Of 400 worlds the share covered has a standard error of .011; 12 documents are allowed .05."""
    draw, covered = np.random.default_rng(0), 0
    for _ in range(400):
        level = draw.gamma(4.0, 0.25, documents)
        spread = level * draw.gamma(50, 0.02, documents)
        one = 0.2 * level * draw.gamma(20, 0.05, documents)
        other = one + 0.05 * level * draw.gamma(10, 0.1, documents)
        found = Resampled(documents).estimate(gained, one, other, spread)  # the truth: .05 of the spread
        covered += found.low <= 0.05 <= found.high
    assert least <= covered / 400 <= 0.985


def test_an_estimate_is_written_with_as_many_digits_as_its_interval_is_narrow():
    assert str(Estimate(0.71234, 0.69, 0.73)) == ".71 (.69 to .73)"
    assert str(Estimate(-0.0466, -0.0511, -0.0412)) == "-.047 (-.051 to -.041)"
    assert str(Estimate(0.5, math.nan, math.nan)) == ".500"
