"""Hadamard dictionaries: what their directions are, by definition; every way of taking correlations; their memory."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import hadamard as sylvester

from tegum.dictionaries import _fast_hadamard
from tegum.dictionaries._base import Dictionary
from tegum.dictionaries._hadamard import WholeHadamard
from tegum.dictionaries._walsh import parity_signs, transform
from tegum.dictionaries.subsampled_hadamard import hadamard
from tegum.features import SparseCodes
from tegum.features.exactly_k import ExactlyK

FORMS = "blocks", "whole"
forms = pytest.mark.parametrize("form", FORMS)
SIZES = st.tuples(st.integers(1, 700), st.integers(1, 150))


def samples(n, d, dtype=torch.float64, seed=0):
    return torch.randn(n, d, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def by_torch(D, monkeypatch):
    monkeypatch.setattr(D, "_compiled", lambda x: None)
    return D


def bound(D, x, dtype):
    """Each correlation is a sum of d terms of size |x_t| / sqrt(d): d + 1 roundings at most of their sum, by either order of adding."""
    return float(x.abs().sum(1).max()) / math.sqrt(D.n_dims) * (D.n_dims + 1) * torch.finfo(dtype).eps


@pytest.mark.parametrize("size", [1, 2, 8, 64, 512])
def test_the_transform_is_sylvesters_matrix(size):
    H = torch.from_numpy(sylvester(size)).double()
    number = torch.arange(size)
    assert parity_signs(number[:, None] & number, torch.float64).equal(H)
    y = samples(3, size).round()
    assert transform(y).equal(y @ H)


def test_a_block_holds_rows_of_the_matrix_at_columns_of_its_own_with_signs_of_its_own():
    D = hadamard(256 + 70, 100, seed=4, dtype=torch.float64)
    H = torch.from_numpy(sylvester(128)).double()
    drawn = []
    for block in range(2):
        rows = D.dense()[block * 128 : block * 128 + 128] * 10
        signs = rows[0]  # the first row of H is all ones
        assert signs.abs().sub(1).abs().max() < 1e-14
        columns = (signs[:, None] * rows.T @ H).argmax(1)
        assert len(set(columns.tolist())) == 100
        torch.testing.assert_close(rows, H[:, columns] * signs)
        drawn.append((columns, signs))
    assert not drawn[0][0].equal(drawn[1][0])
    assert not drawn[0][1].equal(drawn[1][1])


def test_the_whole_form_is_columns_of_one_matrix_at_rows_all_share():
    D = hadamard(1000, 60, seed=4, form="whole", dtype=torch.float64)
    assert isinstance(D, WholeHadamard)
    H = torch.from_numpy(sylvester(1024)).double()
    entries = D.dense() * math.sqrt(60)
    signs = entries[:, 0] * H[D.places[0], :1000]
    assert len(set(D.places.tolist())) == 60
    torch.testing.assert_close(entries, (signs * H[D.places, :1000]).T)
    assert signs.abs().sub(1).abs().max() < 1e-14
    assert abs(float(signs.sum())) < 5 * 1000**0.5  # fair: wrong once in a million


@forms
@given(size=SIZES, batch=st.integers(1, 40), seed=st.integers(0, 2**20))
def test_every_way_of_correlating_is_the_product_with_the_table(form, size, batch, seed):
    D = hadamard(*size, seed=seed, form=form, dtype=torch.float64)
    x = samples(batch, D.n_dims, seed=seed)
    wanted = x @ D.dense().T
    near = {"rtol": 0, "atol": bound(D, x, torch.float64)}
    torch.testing.assert_close(D.correlate(x), wanted, **near)
    torch.testing.assert_close(torch.cat([y for _, y in D.correlations(x, 100)], dim=1), wanted, **near)
    with pytest.MonkeyPatch.context() as patch:
        torch.testing.assert_close(by_torch(D, patch).correlate(x), wanted, **near)


@forms
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("d", [16, 100, 200, 300, 1000, 2100])
def test_the_kernels_are_right_at_every_depth_of_the_transform(form, d, dtype):
    D = hadamard(d + d // 2 + 37, d, seed=1, form=form, dtype=dtype)
    x = samples(19, d, dtype)
    wanted = x.double() @ D.dense().double().T
    torch.testing.assert_close(D.correlate(x).double(), wanted, rtol=0, atol=bound(D, x, dtype))
    values, features = D.largest(x, 9, signed=True)
    torch.testing.assert_close(values.double(), wanted.gather(1, features), rtol=0, atol=bound(D, x, dtype))
    torch.testing.assert_close(values.abs().double(), wanted.abs().topk(9).values, rtol=0, atol=bound(D, x, dtype))


@forms
def test_whole_numbers_are_correlated_exactly(form):
    D = hadamard(3000, 256, seed=2, form=form)  # 1/sqrt(256) is a power of two
    x = torch.from_numpy(np.random.default_rng(0).integers(-99, 100, (20, 256))).float()
    assert D.correlate(x).equal(x @ D.dense().T)


@forms
@given(size=SIZES, k=st.integers(1, 40), signed=st.booleans(), scaled=st.booleans(), seed=st.integers(0, 2**20))
def test_the_largest_without_all_correlations_are_the_largest_of_all(form, size, k, signed, scaled, seed):
    D = hadamard(*size, seed=seed, form=form, dtype=torch.float64)
    k = min(k, D.n_features)
    x, scale = samples(21, D.n_dims, seed=seed), torch.linspace(0.5, 3, D.n_features, dtype=torch.float64) if scaled else None
    values, features = D.largest(x, k, signed=signed, scale=scale)
    seen = D.correlate(x) if scale is None else D.correlate(x) / scale
    torch.testing.assert_close(values, seen.gather(1, features), rtol=1e-14, atol=0)
    size_of = torch.abs if signed else torch.Tensor.double
    torch.testing.assert_close(size_of(values), size_of(seen).topk(k).values, rtol=1e-14, atol=0)
    assert all(len(set(row)) == k for row in features.tolist())


@forms
def test_encode_costs_what_is_active_and_gives_the_sum_of_directions(form, monkeypatch):
    D = hadamard(5000, 300, seed=6, form=form, dtype=torch.float64)
    z = ExactlyK(n_features=5000, n_active=12, values="gaussian").sample(30, dtype=torch.float64)
    torch.testing.assert_close(D.encode(z), z.dense() @ D.dense())
    torch.testing.assert_close(by_torch(D, monkeypatch).encode(z), z.dense() @ D.dense())


@forms
@pytest.mark.parametrize(("n", "feature"), [(30, 31), (100, 10**9)])
def test_no_kernel_sees_a_feature_that_is_not_there(form, n, feature):
    """Feature 31 of 30 has a row in the last block, though it is none; a billion lies outside what the process may read."""
    with pytest.raises(IndexError, match=f"feature {feature} is not one of {n}"):
        hadamard(n, 20, form=form).encode(SparseCodes(torch.tensor([[feature]]), torch.ones(1, 1), n))


@forms
def test_results_are_the_same_on_any_number_of_threads_and_in_any_company(form, monkeypatch):
    D = hadamard(9000, 200, seed=7, form=form)
    x = samples(70, 200, torch.float32)
    z = ExactlyK(n_features=9000, n_active=5).sample(70)
    monkeypatch.setattr(_fast_hadamard, "_WORTH_THREADS", 1)
    all_at_once = D.correlate(x), *D.largest(x, 7), D.encode(z)
    for threads in (2, 3, 16):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert all(a.equal(b) for a, b in zip(all_at_once, (D.correlate(x), *D.largest(x, 7), D.encode(z)), strict=True))
        alone = D.correlate(x[33:34]), *D.largest(x[33:34], 7), D.encode(z[33:34])
        assert all(a[33:34].equal(b) for a, b in zip(all_at_once, alone, strict=True))


@forms
def test_a_sample_that_is_no_number_harms_no_other(form):
    D = hadamard(3000, 64, seed=8, form=form)
    x = samples(5, 64, torch.float32)
    wanted = D.largest(x, 4)
    x[2, 7] = torch.nan
    values, features = D.largest(x, 4)
    assert values[2].isnan().all()
    others = torch.tensor([0, 1, 3, 4])
    assert values[others].equal(wanted[0][others])
    assert features[others].equal(wanted[1][others])


@forms
def test_zero_and_equal_correlations_are_taken_too(form):
    values, features = hadamard(5000, 64, form=form).largest(torch.zeros(3, 64), 20)
    assert values.eq(0).all()
    assert all(len(set(row)) == 20 for row in features.tolist())


@forms
def test_gradients_go_through(form):
    D = hadamard(200, 20, form=form, dtype=torch.float64)
    x = samples(2, 20).requires_grad_()
    (D.correlate(x) * torch.arange(200.0)).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, (torch.arange(200.0, dtype=torch.float64) @ D.dense()).expand(2, -1))


def test_a_block_does_not_depend_on_how_many_there_are():
    assert hadamard(2000, 50, seed=3).dense()[:300].equal(hadamard(300, 50, seed=3).dense())


@forms
def test_inner_products_of_features_are_those_of_random_signs(form):
    """cos^2 of two features has mean 1/d, but for those of one block (orthogonal where d = M), and of one matrix: (P/d - 1) / (P - 1).

    The mean over 2048 x 2048 pairs, in which signs are shared by blocks, is within a twentieth of it: the entries of a block's Gram with another
    are averages over 128 signs and as many columns, so a block pair contributes like 128 independent cosines at least, 240 pairs: 30,000, with
    relative standard error sqrt(2 / 30,000) = .008, a sixth of that.
    """
    D = hadamard(2048, 128, seed=9, form=form, dtype=torch.float64)
    squares = float(D.gram_row_sums(power=2).mean())
    wanted = (2048 - 128) / 128 if form == "blocks" else 2047 * (2048 / 128 - 1) / 2047
    assert squares == pytest.approx(wanted, rel=0.05 if form == "blocks" else 1e-9)


def test_another_form_is_refused():
    with pytest.raises(ValueError, match="form is 'block'"):
        hadamard(10, 5, form="block")
    with pytest.raises(IndexError, match="feature 10 is not one of 10"):
        hadamard(10, 5).directions(torch.tensor([3, 10]))


def test_the_base_class_finds_the_same_largest_by_blocks():
    D = hadamard(4000, 100, seed=5, dtype=torch.float64)
    x = samples(6, 100)
    values, features = D.largest(x, 10)
    plain = Dictionary._largest(D, x, 10, False, None)
    assert features.equal(plain[1])
    torch.testing.assert_close(values, plain[0])


MEMORY = """
import torch, tegum
from pathlib import Path
peak = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
tegum.dictionaries.hadamard(2048, 64).largest(torch.ones(4, 64), 3)
before = peak()
D = tegum.dictionaries.hadamard(1 << 20, 64)
D.largest(torch.ones(64, 64), 3)
print(peak() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_largest_of_a_million_features_need_no_array_of_samples_by_features():
    """64 samples by 2^20 features would be 256 MB in float32, and the table of directions as much; making the columns takes some 30 words each."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 230
