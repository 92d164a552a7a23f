"""Matching pursuit against plain loops, and when it stops."""

import numpy as np
import pytest
import torch

from tegum.decoders import Status, decode
from tegum.decoders.matching_pursuit import MatchingPursuit
from tegum.decoders.top_k import TopK
from tegum.dictionaries import Dictionary
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features.exactly_k import ExactlyK

D = gaussian(120, 40, seed=0, dtype=torch.float64)
DRAWN = {"binary": "binary", "nonnegative": "uniform", "signed": "gaussian"}


def codes(kind, n_active=6, n_samples=30, seed=1):
    return ExactlyK(n_features=120, n_active=n_active, values=DRAWN[kind]).sample(n_samples, seed=seed, dtype=torch.float64)


def plain_loop(rows, x, n_steps):
    """Mallat & Zhang: the largest |<r, D_i>| / |D_i|; r loses its projection; z_i gains <r, D_i> / |D_i|^2."""
    z, lengths = np.zeros(len(rows)), np.linalg.norm(rows, axis=1)
    for _ in range(n_steps):
        best = np.argmax(abs(rows @ x) / lengths)
        step = rows[best] @ x / lengths[best] ** 2
        z[best] += step
        x = x - step * rows[best]
    return z


def in_parts(rows, x, parts, kind):
    """The largest of those not chosen, so many at a time: subtracted at 1, or by their projections."""
    z, lengths = np.zeros(len(rows)), np.linalg.norm(rows, axis=1)
    for part in parts:
        score = rows @ x / lengths
        order = np.argsort(-abs(score) if kind == "signed" else -score)
        chosen = order[z[order] == 0][:part]
        chosen = chosen[score[chosen] > 0] if kind != "signed" else chosen
        z[chosen] = 1 if kind == "binary" else score[chosen] / lengths[chosen]
        x = x - z[chosen] @ rows[chosen]
    return z


def test_the_plain_form_is_a_plain_loop_that_may_choose_again():
    x = D.encode(codes("signed"))
    wanted = np.array([plain_loop(D.dense().numpy(), one.numpy(), 25) for one in x])
    out = decode(D, x, MatchingPursuit(n_active=None, steps=25, values="signed"))
    torch.testing.assert_close(out.z.dense(), torch.as_tensor(wanted), rtol=1e-10, atol=1e-10)
    assert out.status.eq(Status.MAX_STEPS).all()
    assert out.z.n_active.min() < 25  # some feature was chosen twice


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("parts", [(6,), (3, 3), (1, 2, 1, 2), (1,) * 6])
def test_it_takes_its_features_in_equal_parts(kind, parts):
    x = D.encode(codes(kind))
    wanted = np.array([in_parts(D.dense().numpy(), one.numpy(), parts, kind) for one in x])
    out = decode(D, x, MatchingPursuit(n_active=6, steps=len(parts), values=kind))
    torch.testing.assert_close(out.z.dense(), torch.as_tensor(wanted), rtol=1e-10, atol=1e-10)
    assert out.status.eq(Status.OK).all()


def test_one_step_with_directions_of_one_length_is_top_k():
    D = Dense(torch.nn.functional.normalize(gaussian(120, 40, seed=0, dtype=torch.float64).dense()))
    x = D.encode(codes("binary"))
    found = [
        decode(D, x, part).z.dense() for part in (MatchingPursuit(n_active=6, steps=1, values="binary"), TopK(n_active=6, values="binary"))
    ]
    assert found[0].equal(found[1])


def test_plain_binary_codes_need_not_be_counted():
    """Nearly all codes of 1 to 4 active features are read, each in as many steps as it has features."""
    D = gaussian(120, 80, seed=0, dtype=torch.float64)
    z = torch.cat([codes("binary", n).dense() for n in (1, 2, 3, 4)])
    out = decode(D, z @ D.dense(), MatchingPursuit(n_active=None, values="binary"))
    right = out.z.dense().eq(z).all(1)
    assert right.double().mean() > 0.9
    assert out.steps[right].equal(z.sum(1)[right].long())
    assert out.status[right].eq(Status.OK).all()
    assert out.status[~right].eq(Status.MAX_STEPS).all()


def test_a_plain_binary_feature_is_chosen_by_what_it_takes_off_the_residual():
    """Of lengths 10 and 1: the long one correlates most with [4, 1], but at 1 would lead away from it; and against brute force on 8 features."""
    out = decode(
        Dense(torch.tensor([[10.0, 0.0], [0.0, 1.0]])),
        torch.tensor([[4.0, 1.0], [9.0, 1.0]]),
        MatchingPursuit(n_active=None, values="binary"),
    )
    assert out.z.dense().tolist() == [[0, 1], [1, 1]]
    assert out.status.tolist() == [Status.MAX_STEPS, Status.MAX_STEPS]
    rows = gaussian(8, 5, seed=3, dtype=torch.float64).dense() * torch.linspace(0.2, 3, 8, dtype=torch.float64)[:, None]
    x = torch.randn(50, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64) * 2
    found = decode(Dense(rows), x, MatchingPursuit(n_active=None, values="binary")).z.dense()
    for one, z in zip(x, found, strict=True):
        wanted, left = torch.zeros(8, dtype=torch.float64), one
        while True:
            sizes = torch.where(wanted == 0, (left - rows).norm(dim=1), torch.inf)
            if sizes.min() >= left.norm():
                break
            wanted[sizes.argmin()], left = 1, left - rows[sizes.argmin()]
        assert z.equal(wanted)


def test_an_empty_batch_takes_no_passes_and_a_dictionary_without_directions_gives_no_codes():
    for kind in DRAWN:
        for n_active, status in ((None, Status.MAX_STEPS), (2, Status.OK)):
            out = decode(Dense(torch.zeros(6, 4)), torch.ones(3, 4), MatchingPursuit(n_active=n_active, values=kind))
            assert out.z.n_active.eq(0).all()
            assert out.status.eq(status).all()
    D = _Counted(torch.eye(3))
    assert len(decode(D, torch.zeros(0, 3), MatchingPursuit(n_active=None)).z) == 0
    assert D.passes == 0


class _Counted(Dictionary):
    """Three axes that count how often they are searched."""

    def __init__(self, table):
        self.table, self.passes = table, 0
        self.n_features, self.n_dims, self.dtype, self.device = *table.shape, table.dtype, table.device

    def directions(self, indices):
        return self.table[indices]

    def to(self, device=None, dtype=None):
        return self

    def _correlations(self, x, block):
        self.passes += 1
        return super()._correlations(x, block)


@pytest.mark.usefixtures("untyped")
def test_a_tolerance_is_something_it_was_told():
    assert MatchingPursuit(n_active=None, tolerance=np.float32(0.5)).told == {"tolerance": 0.5}
    assert MatchingPursuit(n_active=3).told == {"n_active": 3}


def test_a_tolerance_ends_a_sample_as_soon_as_it_is_met():
    x = D.encode(codes("signed"))
    out = decode(D, x, MatchingPursuit(n_active=None, values="signed", tolerance=0.2))
    assert out.status.eq(Status.OK).all()
    assert (out.residual <= 0.2 * x.norm(dim=1)).all()
    for one, steps in zip(x, out.steps.tolist(), strict=True):
        before = decode(D, one[None], MatchingPursuit(n_active=None, values="signed", steps=steps - 1))
        assert before.residual > 0.2 * one.norm()


def test_of_features_with_one_direction_the_nonnegative_form_takes_no_more_than_is_there():
    table = torch.eye(4, dtype=torch.float64)[[0, 0, 1, 2]]
    out = decode(Dense(table), torch.tensor([[3.0, 1, -1, 0]], dtype=torch.float64), MatchingPursuit(n_active=3))
    found = out.z.dense()[0]
    assert float(found[0] + found[1]) == 3
    assert found[2:].tolist() == [1, 0]
    assert out.status.tolist() == [Status.OK]


def test_steps_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="steps is 4 but n_active is 3"):
        MatchingPursuit(n_active=3, steps=4)
    with pytest.raises(ValueError, match="steps is 0"):
        MatchingPursuit(n_active=None, steps=0)
    with pytest.raises(ValueError, match="tolerance is -1"):
        MatchingPursuit(n_active=None, tolerance=-1.0)
