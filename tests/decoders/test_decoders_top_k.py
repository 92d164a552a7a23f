"""Top-k against sorting everything; and the decoders that search on directions that are made on the fly."""

import numpy as np
import pytest
import torch

from tegum.decoders import decode
from tegum.decoders._base import HELD, SEARCHED
from tegum.decoders.compressive_sampling_pursuit import CoSaMP
from tegum.decoders.iterative_hard_thresholding import NIHT
from tegum.decoders.linear_probe import LinearProbe
from tegum.decoders.matched_filter import MatchedFilter
from tegum.decoders.matching_pursuit import MatchingPursuit
from tegum.decoders.orthogonal_matching_pursuit import OMP
from tegum.decoders.subspace_pursuit import SubspacePursuit
from tegum.decoders.top_k import TopK
from tegum.dictionaries import Dictionary
from tegum.dictionaries._base import BLOCK
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features.exactly_k import ExactlyK


class Mirrored(Dictionary):
    """Directions made when they are asked for: those of a table, at twice their lengths, in reverse order."""

    def __init__(self, table):
        self.table = table
        self.n_features, self.n_dims = table.shape
        self.dtype, self.device = table.dtype, table.device

    def directions(self, indices):
        return 2 * self.table[self.n_features - 1 - indices]

    def to(self, device=None, dtype=None):
        return Mirrored(self.table.to(device=device, dtype=dtype))


@pytest.mark.parametrize("kind", ["nonnegative", "signed", "binary"])
@pytest.mark.parametrize("n_features", [50, 3000])
def test_it_is_the_first_k_of_all_projections_in_order(kind, n_features):
    D, k = gaussian(n_features, 30, seed=0), 7
    x = D.encode(ExactlyK(n_features=n_features, n_active=10, values="gaussian").sample(60, seed=1))
    wanted = np.zeros((60, n_features))
    for row, projections in zip(wanted, (x.double() @ D.dense().double().T / D.squared_norms().double()).numpy(), strict=True):
        best = np.argsort(-abs(projections) if kind == "signed" else -projections)[:k]
        row[best] = {"nonnegative": projections[best].clip(min=0), "signed": projections[best], "binary": projections[best] > 0}[kind]
    found = decode(D, x, TopK(n_active=k, values=kind)).z.dense().double()
    torch.testing.assert_close(found, torch.as_tensor(wanted), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "decoder",
    [
        TopK(n_active=4),
        MatchedFilter(threshold="bayes", n_active=4),
        LinearProbe(n_active=4),
        LinearProbe(n_active=None, values="signed"),
        MatchingPursuit(n_active=4, steps=2, values="binary"),
        OMP(n_active=4),
        SubspacePursuit(n_active=4),
        CoSaMP(n_active=4),
        NIHT(n_active=4),
    ],
    ids=lambda decoder: type(decoder).__name__,
)
def test_directions_made_on_the_fly_are_read_like_their_table(decoder):
    made = Mirrored(gaussian(120, 40, seed=2, dtype=torch.float64).dense())
    x = made.encode(ExactlyK(n_features=120, n_active=4).sample(30, seed=3, dtype=torch.float64))
    found, wanted = (decode(D, x, decoder) for D in (made, Dense(made.dense())))
    torch.testing.assert_close(found.z.dense(), wanted.z.dense(), rtol=1e-8, atol=1e-10)
    assert wanted.z.n_active.double().mean() > 2


def test_a_table_of_projections_is_never_made():
    class Counted(Dense):
        def _correlate(self, x):
            pytest.fail("all correlations at once")

    D = Counted(gaussian(4096, 8, seed=4).dense())
    x = D.encode(ExactlyK(n_features=4096, n_active=1).sample(50, seed=5))
    decode(D, x, TopK(n_active=2))


def test_large_batches_are_decoded_in_parts_that_keep_memory_bounded_and_blocks_wide():
    D = gaussian(4096, 100, seed=6)
    for decoder in (TopK(n_active=4), SubspacePursuit(n_active=4), CoSaMP(n_active=4), NIHT(n_active=4), OMP(n_active=4)):
        assert HELD // decoder.held(D) == BLOCK // SEARCHED
    for decoder in (SubspacePursuit(n_active=400), CoSaMP(n_active=400), NIHT(n_active=800), OMP(n_active=400)):
        assert decoder.held(D) >= 2 * decoder.n_active * D.n_dims
