"""Every result tells itself in words, as a table, and as both in a notebook."""

import numpy as np
import pytest
import torch

import tegum
from tegum import capacity, geometry, theory
from tegum.results import Result, table

FEATURES = tegum.features.Bernoulli(n_features=4, density=0.3)
W = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))


LINES = {
    "Run": 3, "Instance": 4, "History": 2 * 3, "SparseCodes": 6 * 2, "Decoded": 6, "Alignment": 2 * 4, "AntipodalPairs": 2 * 4,
    "CosineHistogram": 2 * 10, "RotationTest": 2 * 5, "Polytopes": 3, "Optimum": 4, "LossTerms": 2 * 4, "Readings": 3, "Members": 2,
    "Need": 1, "LinearAccess": 4, "Activations": 1, "Moments": 3, "Matched": 4, "LearntDictionary": 2, "Splitting": 4,
    "Absorption": 4, "LossRecovered": 3, "SparseAutoencoder": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def results():
    """One of each kind, by the name of its kind."""
    run = tegum.train(
        tegum.toys.ReLUOutput(n_features=4, n_hidden=2), FEATURES, instances=3, steps=2, record=2, batch_size=8, progress=False
    )
    D, z = tegum.dictionaries.gaussian(n_features=9, n_dims=5), tegum.features.ExactlyK(n_features=9, n_active=2).sample(6)
    acts = tegum.activations.load(W[0])
    learnt = tegum.learning.sparse_coding(W.reshape(-1, 3), 4, tegum.decoders.OMP(n_active=2), passes=2, batch_size=4)
    directions = W[0], torch.eye(4).bool(), W[1], torch.eye(4).bool()
    found = [
        acts, acts.moments(), tegum.learning.metrics.matched_directions(W[0], W[1]),
        learnt, learnt.as_autoencoder(), tegum.learning.splitting(*directions), tegum.learning.absorption(*directions),
        tegum.learning.loss_recovered(torch.nn.Linear(3, 2), "", torch.zeros_like, [W[0]] * 3, lambda out, _: out.mean()),
        run, run.best(), run.history, z, tegum.decode(D, D.encode(z), tegum.decoders.TopK(n_active=2)),
        geometry.align(W, W), geometry.antipodal_pairs(W), geometry.cosine_histogram(W, bins=10), geometry.kurtosis_against_rotations(W, 5),
        geometry.polytopes(torch.eye(4)[:3]), theory.optimal_loss(FEATURES, 2, starts=1), theory.linear_loss_terms(W),
        tegum.StringSet(["a", "b"]).query(["a", "b", "c"]),
        tegum.StringSet(["a", "b"]).decode(["a", "b", "c"]),
        theory.linear_access(W[0], n_active=1),
        capacity.measure_need(
            capacity.Setting(n_features=64, n_active=2), tegum.decoders.TopK(n_active=2), 500, capacity.Rule(budget=16, most_dims=4, look=16)
        ),
    ]  # fmt: skip
    return {type(result).__name__: result for result in found}


@pytest.mark.parametrize(("kind", "lines"), LINES.items())
def test_it_is_told_in_words_and_as_a_table(results, kind, lines):
    words = repr(results[kind])
    assert words.startswith(kind)
    assert "tensor(" not in words
    assert len(words) < 300
    frame = results[kind].to_dataframe()
    assert len(frame) == lines
    assert all(dtype.kind in "biufO" for dtype in frame.dtypes)
    assert results[kind]._repr_html_().count("<table") == 1


def test_every_kind_of_result_is_among_them(results):
    """Those of audits have a test of their own, tests/auditing/test_audit_results.py."""

    def kinds(cls):
        own = {cls.__name__} if not cls.__module__.startswith("tegum.auditing") else set()
        return own | {kind for sub in cls.__subclasses__() for kind in kinds(sub)}

    assert kinds(Result) - {"Result"} == set(results) == set(LINES)


def test_a_table_counts_its_axis_within_each_instance():
    frame = table("feature", a=torch.tensor([[1, 2], [3, 4]]), b=torch.tensor([10.0, 20.0]))
    assert list(frame) == ["instance", "feature", "a", "b"]
    np.testing.assert_array_equal(frame.to_numpy(), [[0, 0, 1, 10], [0, 1, 2, 10], [1, 0, 3, 20], [1, 1, 4, 20]])
