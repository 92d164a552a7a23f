"""`decode`, the one door, and what it returns; and top-k by hand."""

import inspect
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tegum.decoders import Status, _base, decode
from tegum.decoders.approximate_message_passing import AMP
from tegum.decoders.basis_pursuit import BasisPursuit
from tegum.decoders.bayes_amp import BayesAMP
from tegum.decoders.fista import FISTA
from tegum.decoders.linear_probe import LinearProbe
from tegum.decoders.matched_filter import MatchedFilter
from tegum.decoders.orthogonal_matching_pursuit import OMP
from tegum.decoders.subspace_pursuit import SubspacePursuit
from tegum.decoders.top_k import TopK
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features import SparseCodes
from tegum.features.exactly_k import ExactlyK

D = gaussian(30, 20, seed=0)
Z = ExactlyK(n_features=30, n_active=2).sample(5, seed=0)
X = D.encode(Z)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((D.dense(), X, TopK(n_active=2)), "dictionary is Tensor; wrap a table"),
        ((D, X, "topk"), "decoder is 'topk'; give one with its fields"),
        ((D, X, TopK), "decoder is <class"),
        ((D, X.double(), TopK(n_active=2)), r"x\.to\(dictionary\.dtype\)"),
        ((D, X, TopK(n_active=31)), "n_active is 31 but the dictionary has 30 features"),
    ],
)
def test_what_is_no_dictionary_decoder_or_activation_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        inspect.unwrap(decode)(*given)


def test_codes_and_activations_of_another_size_are_refused_by_the_dictionary():
    with pytest.raises(ValueError, match="the codes have 29 features but the dictionary has 30"):
        D.encode(ExactlyK(n_features=29, n_active=2).sample(3))
    with pytest.raises(ValueError, match="codes are Tensor"):
        inspect.unwrap(type(D).encode)(D, X)
    with pytest.raises(ValueError, match=r"x has shape \(5, 19\); the dictionary takes \(samples, 20\)"):
        D.correlate(X[:, :19])


def test_the_truth_must_be_of_the_samples_that_were_decoded():
    out = decode(D, X, TopK(n_active=2))
    for compare in (out.exact, out.support_exact):
        with pytest.raises(ValueError, match="5 samples of 30 features were decoded, but the truth has 4 of 30"):
            compare(Z[:4])


def test_top_k_keeps_the_largest_positive_projections_at_their_values():
    table = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.6, 0.8]])
    found = decode(Dense(table), torch.tensor([[4.0, 1.0], [0.0, -1.0]]), TopK(n_active=2)).z.dense()
    # projections <x, D_i> / |D_i|^2: 2, 1, -4, 3.2 and 0, -1, 0, -.8; what is not positive is not active
    assert found.tolist() == [[2.0, 0, 0, pytest.approx(3.2)], [0, 0, 0, 0]]


def test_what_was_found_is_told_as_words_and_as_a_table():
    x = X.clone()
    x[3, 0] = torch.nan
    out = decode(D, x, TopK(n_active=2))
    assert "4 of 5 samples OK" in repr(out)
    table = out.to_dataframe()
    assert table["status"].tolist() == ["OK", "OK", "OK", Status.NONFINITE_INPUT.name, "OK"]
    assert table["n_active"].tolist()[3] == 0
    assert "<table" in out._repr_html_()


def test_codes_made_by_hand_are_encoded_by_their_values():
    z = SparseCodes(torch.tensor([[3, 0], [-1, -1]]), torch.tensor([[2.0, -1.0], [0.0, 0.0]]), 30)
    torch.testing.assert_close(D.encode(z), torch.stack([2 * D.dense()[3] - D.dense()[0], torch.zeros(20)]))


@pytest.mark.parametrize(("dtype", "far"), [(torch.float32, 18), (torch.float64, 150)])
def test_a_sample_whose_squares_leave_the_range_of_its_dtype_is_flagged_and_one_of_nothing_is_not(dtype, far):
    x = X.to(dtype)
    x = torch.stack([x[0], x[0] * 10.0**far, x[0] * 10.0**-far, 0 * x[0], x[0] * 10.0 ** (far / 2), x[0] * 10.0 ** (-far / 2)])
    status = decode(D.to(dtype=dtype), x, TopK(n_active=2)).status.tolist()
    assert status == [Status.OK, Status.NONFINITE_INPUT, Status.NONFINITE_INPUT, Status.OK, Status.OK, Status.OK]


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (Z.dense(), "start is Tensor; it must be SparseCodes"),
        (Z[:3], "start has 3 samples of 30 features; there are 5 samples of 30"),
        (SparseCodes(torch.full((5, 1), 30), torch.ones(5, 1), 30), "start names features 30 to 30; there are 30"),
        (SparseCodes(torch.full((5, 2), 7), torch.ones(5, 2), 30), "start names a feature twice"),
        (SparseCodes(torch.full((5, 1), 7), torch.full((5, 1), torch.nan), 30), "start holds values that are not finite"),
    ],
)
def test_a_start_that_makes_no_sense_is_refused(start, said):
    with pytest.raises(ValueError, match=said):
        inspect.unwrap(decode)(D, X, SubspacePursuit(n_active=2), start=start)


def test_half_precision_is_refused_with_what_to_do():
    with pytest.raises(ValueError, match=r"x is torch.float16; .* dictionary\.to\(dtype=torch\.float32\)"):
        decode(D.to(dtype=torch.float16), X.half(), TopK(n_active=2))


def test_a_dictionary_that_is_being_trained_is_decoded_without_a_graph():
    table = torch.nn.Parameter(D.dense())
    out = decode(Dense(table), X, TopK(n_active=2))
    assert not out.z.values.requires_grad


@pytest.mark.parametrize(
    ("decoder", "told"),
    [
        (TopK(n_active=3), {"n_active": 3}),
        (OMP(), {}),
        (OMP(n_active=3, tolerance=0.1), {"n_active": 3, "tolerance": 0.1}),
        (BasisPursuit(), {}),
        (AMP(), {}),
        (BayesAMP(prior="binary", n_active=3), {"prior": "binary", "n_active": 3, "noise_std": 0.0}),
        (BayesAMP(prior="uniform", noise_std=None), {"prior": "uniform"}),
        (MatchedFilter(), {"threshold": 0.5}),
        (LinearProbe(n_active=3, ridge=0.2), {"n_active": 3, "ridge": 0.2}),
    ],
)
def test_a_decoder_says_what_of_the_truth_it_was_told(decoder, told):
    assert decoder.told == told


@pytest.mark.parametrize("decoder", [TopK(n_active=3), FISTA(penalty=0.1)], ids=["top-k", "FISTA, warm"])
def test_a_batch_shared_out_among_threads_is_the_same_batch(decoder, monkeypatch):
    D = gaussian(200, 40, dtype=torch.float64)
    z = ExactlyK(n_features=200, n_active=3).sample(50, seed=0, dtype=torch.float64)
    x = D.encode(z)
    x[11] = torch.nan
    start = {"start": z} if isinstance(decoder, FISTA) else {}
    whole, threads, seen = decode(D, x, decoder, **start), torch.get_num_threads(), []
    run = type(decoder).run

    def recorded(self, state, dictionary, x, *start):
        seen.append((len(x), torch.get_num_threads()))
        return run(self, state, dictionary, x, *start)

    monkeypatch.setattr(type(decoder), "run", recorded)
    monkeypatch.setattr(_base, "A_THREAD", 10)
    try:
        torch.set_num_threads(3)
        shared = decode(D, x, decoder, **start)
        assert torch.get_num_threads() == 3
        assert sorted(seen) == [(16, 1), (17, 1), (17, 1)]
        decode(D, x[:29], decoder, **({"start": z[:29]} if start else {}))  # too few for three
        assert seen[3:] == [(29, 3)]
    finally:
        torch.set_num_threads(threads)
    assert shared.status.equal(whole.status)
    assert shared.z.dense().allclose(whole.z.dense(), atol=1e-12)
    assert shared.residual.allclose(whole.residual, equal_nan=True)


def test_threads_that_decode_at_once_leave_torchs_count_as_it_was(monkeypatch):
    monkeypatch.setattr(_base, "A_THREAD", 2)
    threads, x = torch.get_num_threads(), X.repeat(20, 1)
    try:
        torch.set_num_threads(3)
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: decode(D, x, TopK(n_active=2)), range(12)))
            assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(lambda _: torch.get_num_threads(), range(12))) == {3}
    finally:
        torch.set_num_threads(threads)
    assert all(one.z.indices.equal(found[0].z.indices) for one in found)
