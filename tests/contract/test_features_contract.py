"""What every distribution must do, over whatever is discovered: a new file is tested the day it appears."""

import inspect
import math

import pytest
import torch
from part_examples import arguments

from tegum import parts
from tegum.features._base import active, fill
from tegum.features._events import draw

SIZES = {"n_features": 12, "density": 0.3, "n_active": 4, "n_sets": 3, "exponent": 1.0}
N = 40_000
SECOND = {"uniform": 1 / 3, "binary": 1.0, "signed": 1.0, "gaussian": 1.0}  # moments of an active feature's value
FOURTH = {"uniform": 1 / 5, "binary": 1.0, "signed": 1.0, "gaussian": 3.0}


def example(distribution, values):
    return distribution(values=values, **arguments(distribution, SIZES))


cases = [
    pytest.param(d, v, id=f"{name}-{v}")
    for name, d in parts.discover("features").items()
    for v in ("uniform", "binary", "signed", "gaussian")
]


@pytest.mark.parametrize(("distribution", "values"), cases)
def test_numba_and_torch_draw_the_same_codes(distribution, values):
    f = example(distribution, values)
    seeds, instances = torch.tensor([3, 2**40 + 1, 7]), torch.tensor([0, 5, 2**24 - 1])
    ours = active(f, 333, seeds, instances, 12, 100)
    theirs = draw(f.buckets, f.n_features, f.values, 333, seeds, instances, 12, 100)
    assert ours[0].equal(theirs[0])
    assert ours[1].equal(theirs[1])
    dense = torch.empty(3, 333, f.n_features, dtype=torch.float64)
    fill(dense, f, seeds, instances, 12, 100)
    scattered = torch.zeros_like(dense).view(-1)
    scattered[theirs[0]] = theirs[1]
    assert dense.view(-1).equal(scattered)


@pytest.mark.parametrize(("distribution", "values"), cases)
def test_a_sample_does_not_depend_on_its_company(distribution, values):
    f = example(distribution, values)
    whole = f.sample(200, seed=5, instance=2, step=9).dense()
    assert f.sample(37, seed=5, instance=2, step=9, first_sample=101).dense().equal(whole[101:138])
    assert not f.sample(200, seed=6, instance=2, step=9).dense().equal(whole)
    assert not f.sample(200, seed=5, instance=3, step=9).dense().equal(whole)
    assert not f.sample(200, seed=5, instance=2, step=10).dense().equal(whole)


@pytest.mark.parametrize(("distribution", "values"), cases)
def test_sampled_moments_are_the_stated_ones(distribution, values):
    f = example(distribution, values)
    z = f.sample(N, seed=11, dtype=torch.float64).dense()
    # 5.5 exact standard errors at 12 + 78 + 12 figures: a false alarm once in 250,000 runs. The rarest pair is expected 27 times.
    se = (f.variance() / N).sqrt()
    assert ((z.mean(0) - f.mean()).abs() <= 5.5 * se + 1e-12).all()
    stated, together = f.second_moments(), example(distribution, "binary").second_moments()  # the latter: how often i and j are both on
    square = together * SECOND[values] ** 2
    square.diagonal()[:] = f.marginal_density() * FOURTH[values]  # E (z_i z_j)^2
    se = ((square - stated**2).clamp(min=0) / N).sqrt()
    assert ((z.T @ z / N - stated).abs() <= 5.5 * se + 1e-12).all()
    on, p = (z != 0).double(), f.marginal_density()
    assert ((on.mean(0) - p).abs() <= 5.5 * (p * (1 - p) / N).sqrt() + 1e-12).all()
    assert abs(float(on.sum(1).mean()) - f.mean_active()) <= 5.5 * float(on.sum(1).std()) / N**0.5 + 1e-9
    assert int(on.sum(1).max()) <= f.max_active


@pytest.mark.parametrize("distribution", [pytest.param(d, id=n) for n, d in parts.discover("features").items()])
def test_supports_are_sampled_as_often_as_they_are_listed_and_give_the_entropy(distribution):
    f = example(distribution, "binary")
    listed = dict(f.supports())
    assert math.isclose(sum(listed.values()), 1, rel_tol=1e-12)
    assert math.isclose(f.entropy_bits(), -sum(p * math.log2(p) for p in listed.values() if p > 0), rel_tol=1e-9)
    weights = 2 ** torch.arange(f.n_features)
    seen = torch.bincount(((f.sample(N, seed=1).dense() != 0) * weights).sum(1), minlength=2**f.n_features)
    names = {sum(2**i for i in support): p for support, p in listed.items()}
    assert set(seen.nonzero().flatten().tolist()) <= set(names)
    expected = torch.zeros(2**f.n_features, dtype=torch.float64)
    for at, p in names.items():
        expected[at] = p * N
    often = expected > 5
    rest = torch.tensor([float(seen[~often].sum()), float(expected[~often].sum())], dtype=torch.float64)
    chi2 = float(((seen - expected)[often] ** 2 / expected[often]).sum()) + (
        float((rest[0] - rest[1]) ** 2 / rest[1]) if rest[1] > 0 else 0
    )
    degrees = int(often.sum())
    assert chi2 < degrees + 6 * math.sqrt(2 * degrees) + 18  # six standard deviations of chi^2, and its skew


WRONG = {
    "n_features": (0, 2.5, "six", True),
    "n_sets": (2.5, 0, 5),
    "n_active": (2.5, -1, 13),
    "values": ("complex",),
    "density": (float("nan"), 1.5, -0.1, "half", None),
    "exponent": (float("nan"), float("inf"), "steep"),
}


@pytest.mark.parametrize(
    ("distribution", "field", "wrong"),
    [
        pytest.param(d, field, wrong, id=f"{name}-{field}-{wrong}")
        for name, d in parts.discover("features").items()
        for field in inspect.signature(d).parameters
        for wrong in WRONG.get(field, ())
    ],
)
def test_bad_fields_are_refused_by_name(distribution, field, wrong):
    with pytest.raises(ValueError, match="features do not fall into" if (field, wrong) == ("n_sets", 5) else field):
        distribution(**arguments(distribution, SIZES) | {field: wrong})
