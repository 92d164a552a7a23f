"""The matched filter's error rates against theory, and the Bayes threshold against the odds it stands for."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from tegum.decoders import Status, Values, decode
from tegum.decoders.matched_filter import MatchedFilter, _even_odds
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features.exactly_k import ExactlyK

N, K = 256, 8
FEATURES = ExactlyK(n_features=N, n_active=K)


def error_counts(d, decoder, dictionaries):
    """Of each dictionary: false alarms and misses in 50 samples."""
    counts = []
    for seed in range(dictionaries):
        D, z = gaussian(N, d, seed=seed, dtype=torch.float64), FEATURES.sample(50, seed=seed, dtype=torch.float64).dense()
        wrong = decode(D, z @ D.dense(), decoder).z.dense() - z
        counts.append(((wrong == 1).sum(), (wrong == -1).sum()))
    return np.array(counts, dtype=float)


@pytest.mark.parametrize("d", [40, 120])
def test_its_error_rate_is_that_of_theory(d):
    """For Gaussian directions the projection of k others is sqrt(k/d) times a Student t of d degrees of freedom; Q(sqrt(d/k)/2) is its
    limit. Dictionaries are independent: means of 60 within 5 standard errors, which fail by chance once in 50,000."""
    counts = error_counts(d, MatchedFilter(), 60)
    error = counts.std(axis=0, ddof=1) / math.sqrt(60)
    false_alarms, misses = stats.t.sf(math.sqrt(d / K) / 2, d), stats.t.sf(math.sqrt(d / (K - 1)) / 2, d)
    assert np.all(abs(counts.mean(axis=0) - 50 * np.array([(N - K) * false_alarms, K * misses])) < 5 * error)
    assert np.all(error < 0.1 * counts.mean(axis=0))  # or the test would say little
    assert false_alarms == pytest.approx(stats.norm.sf(math.sqrt(d / K) / 2), rel=0.2)


def test_the_bayes_threshold_makes_fewer_errors():
    fixed, bayes = (error_counts(120, decoder, 20).sum() for decoder in (MatchedFilter(), MatchedFilter(threshold="bayes", n_active=K)))
    assert bayes < 0.7 * fixed


@pytest.mark.parametrize(("kind", "places"), [("binary", [1.0]), ("signed", [1.0, -1.0])])
def test_at_the_bayes_threshold_on_is_as_likely_as_off(kind, places):
    for variance in (1e-4, 0.02, 0.3, 2.0):
        density, sd = 0.05, math.sqrt(variance)
        u = float(_even_odds(torch.tensor([[variance]], dtype=torch.float64), density, Values(kind))[0, 0])
        on = np.logaddexp.reduce([stats.norm.logpdf(u, place, sd) for place in places]) - math.log(len(places)) + math.log(density)
        assert on == pytest.approx(stats.norm.logpdf(u, 0, sd) + math.log1p(-density), abs=1e-9 / variance)


def test_with_features_that_are_always_on_all_are_found():
    D = gaussian(6, 40, seed=0)
    x = D.encode(ExactlyK(n_features=6, n_active=6).sample(4))
    for kind in ("binary", "signed"):
        assert decode(D, x, MatchedFilter(threshold="bayes", n_active=6, values=kind)).z.n_active.eq(6).all()


def test_each_sample_has_as_many_features_as_lie_above_the_threshold():
    table = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    x = torch.tensor([[4.0, 0.4], [1.0, 0.6], [-0.7, -9.0], [0.0, 0.0]])  # projections: 2, .4, -4; .5, .6, -1; -.35, -9, .7
    wanted = {
        "binary": [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]],
        "nonnegative": [[2, 0, 0], [0, 0.6, 0], [0, 0, 0.7], [0, 0, 0]],
        "signed": [[2, 0, -4], [0, 0.6, -1], [0, -9, 0.7], [0, 0, 0]],
    }
    for kind, codes in wanted.items():
        out = decode(Dense(table), x, MatchedFilter(values=kind))
        torch.testing.assert_close(out.z.dense(), torch.tensor(codes, dtype=torch.float32))
        assert out.z.indices.shape[1] == out.z.n_active.max()
        assert out.status.eq(Status.OK).all()


def test_features_in_many_blocks_are_those_of_one():
    D = gaussian(3000, 20, seed=1)
    x = D.encode(ExactlyK(n_features=3000, n_active=5).sample(3000, seed=1))  # nine million readings: more than one block
    out = decode(D, x, MatchedFilter(threshold=1.5, values="signed"))
    projections = D.correlate(x) / D.squared_norms()
    margin = (projections.abs() - 1.5).abs() > 1e-4
    assert (out.z.dense() != 0).eq(projections.abs() > 1.5)[margin].all()


def test_a_threshold_is_something_it_was_told():
    assert MatchedFilter().told == {"threshold": 0.5}
    assert MatchedFilter(threshold="bayes", n_active=3).told == {"threshold": "bayes", "n_active": 3}


@pytest.mark.parametrize("kind", ["binary", "nonnegative", "signed"])
@pytest.mark.parametrize("decoder", [MatchedFilter(), MatchedFilter(threshold=0.0), MatchedFilter(threshold="bayes", n_active=4)])
def test_features_without_a_direction_are_never_read(decoder, kind):
    out = decode(Dense(torch.zeros(6, 4)), torch.ones(3, 4), replace(decoder, values=kind))
    assert out.z.n_active.eq(0).all()
    assert out.status.eq(Status.OK).all()


@pytest.mark.usefixtures("untyped")
def test_what_is_no_threshold_is_refused():
    with pytest.raises(ValueError, match="threshold is 'Bayes'"):
        MatchedFilter(threshold="Bayes")
    with pytest.raises(ValueError, match="threshold is -1"):
        MatchedFilter(threshold=-1.0)
    with pytest.raises(ValueError, match="threshold is None"):
        MatchedFilter(threshold=None)
    with pytest.raises(ValueError, match="threshold is True"):
        MatchedFilter(threshold=True)
    with pytest.raises(ValueError, match="n_active is None"):
        MatchedFilter(threshold="bayes")
    with pytest.raises(ValueError, match="only threshold='bayes' asks for it"):
        MatchedFilter(n_active=3)
