"""Every result of an audit tells itself in words, as a table, and as both in a notebook."""

import pytest
import torch

import tegum
from tegum.auditing._hold_babel import babel
from tegum.auditing._hold_crowd import interference_of_sets
from tegum.auditing._layout_basis import privileged_basis
from tegum.auditing._layout_meetings import meetings
from tegum.auditing._layout_neurons import polysemanticity
from tegum.features import ExactlyK
from tegum.results import Result


@pytest.fixture(scope="module")
def results():
    D = tegum.dictionaries.spherical(16, 8, seed=1)
    x = D.encode(ExactlyK(n_features=16, n_active=2, values="uniform").sample(400, seed=0))
    acts = tegum.activations.load(x)
    basis = privileged_basis(acts, n_rotations=9)
    found = [
        babel(D.dense()), interference_of_sets(D.dense(), 2), tegum.auditing.effective_dims(acts), basis,
        meetings(acts, lambda rows: tegum.decode(D, rows, tegum.decoders.OMP(n_active=2)).z, n_features=16), polysemanticity(D.dense()),
        tegum.auditing.Contexts(torch.tensor([1]), torch.tensor([0.5]), 4, ((1, 1, 0.5, "a", "b", "c", 0, 1, 1),)),
        tegum.auditing.read_by("OMP", x, D, 2), tegum.auditing.superposition_test(x, references=2, progress=False),
        tegum.audit(acts, D, n_active=2, questions=["layout"], progress=False),
    ]  # fmt: skip
    return {type(result).__name__: result for result in found}


def test_each_is_told_in_words_and_as_a_table(results):
    for kind, result in results.items():
        assert kind in repr(result)
        assert "tensor(" not in repr(result)
        assert len(result.to_dataframe())
        assert result._repr_html_().count("<table") == 1


def test_every_kind_is_among_them(results):
    def kinds(cls):
        own = {cls.__name__} if cls.__module__.startswith("tegum.auditing") else set()
        return own | {kind for sub in cls.__subclasses__() for kind in kinds(sub)}

    assert kinds(Result) == set(results)
