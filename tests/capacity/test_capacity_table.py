"""The capacity table: it says what the laws say, agrees with itself, and what is measured agrees with decoding."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tegum
from tegum import theory
from tegum.capacity import PANEL, table
from tegum.capacity.capacity_table import most_active
from tegum.capacity.laws import LAWS, LIMITS


def line(frame, name):
    return frame[frame["decoder"] == name].iloc[0]


def test_every_decoder_of_the_panel_has_a_line_in_order_of_its_need():
    frame = table(4096, 16)
    assert set(frame["decoder"]) == set(PANEL) | {"(one dim a bit)"}
    known = frame["dims_50"].dropna()
    assert known.is_monotonic_increasing
    assert len(known) >= 10


def test_its_numbers_are_those_of_theory():
    frame = table(4096, 16, 512)
    lasso, bits = line(frame, "basis pursuit"), theory.subset_bits(4096, 16)
    assert lasso["dims_50"] == pytest.approx(theory.lasso_dims(4096, 16))
    assert lasso["dims_99"] == pytest.approx(theory.lasso_dims(4096, 16, success=0.99))
    assert lasso["dims_per_bit"] == pytest.approx(theory.lasso_dims(4096, 16) / bits)
    assert lasso["marginal_dims"] == pytest.approx(theory.lasso_dims(4096, 17) - theory.lasso_dims(4096, 16))
    assert lasso["success"] == pytest.approx(theory.lasso_success(512, 4096, 16))
    assert lasso["active"] == np.floor(theory.lasso_active(4096, 512))
    assert line(frame, "Bayes-AMP")["dims_50"] == pytest.approx(theory.bayes_dims(4096, 16))
    assert np.isnan(line(frame, "Bayes-AMP")["dims_99"])
    assert np.isnan(line(frame, "OMP")["dims_50"])


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from(["threshold 1/2", "top-k", "linear probes, top-k", "basis pursuit", "basis pursuit, signed", "Bayes-AMP"]),
    n=st.integers(64, 10**9),
    d=st.integers(8, 4096),
)
def test_the_most_that_may_be_on_is_read_and_one_more_is_not(name, n, d):
    law = LAWS[name]
    k = int(most_active(law, n, d))
    if k >= 1:
        assert law.success(d, n, k, 0.0) >= 0.5
    if k < n // 2:
        assert law.success(d, n, k + 1, 0.0) < 0.5


def test_noise_takes_some_out_of_reach_and_says_so():
    quiet, loud = table(4096, 16), table(4096, 16, noise_std=0.15)
    assert np.isinf(line(loud, "threshold 1/2")["dims_50"])
    assert np.isfinite(line(quiet, "threshold 1/2")["dims_50"])
    assert line(loud, "Bayes-AMP")["dims_50"] > line(quiet, "Bayes-AMP")["dims_50"]
    limit = line(loud, "(any decoder, without errors)")["dims_50"]
    assert limit == pytest.approx(theory.noisy_dims(4096, 16, 0.15))
    assert (loud["dims_50"].dropna()[~loud["decoder"].isin(LIMITS)] > limit).all()


def test_measured_needs_stand_beside_the_law_and_hold_it():
    frame = table(256, 4, 60, decoders=["top-k", "basis pursuit", "OMP"], measure=True, progress=False)
    for name in ("top-k", "basis pursuit"):
        found = line(frame, name)
        assert found["low_50"] * 0.9 <= found["dims_50"] <= found["high_50"] * 1.1
        assert found["low_50"] <= found["measured_50"] <= found["high_50"]
        assert found["measured_99"] > found["measured_50"]
        assert found["low_success"] <= found["measured_success"] <= found["high_success"]
    assert line(frame, "basis pursuit")["measured_success"] > line(frame, "top-k")["measured_success"]
    assert line(frame, "OMP")["measured_50"] > 0
    assert (
        frame["decoder"].tolist().index("basis pursuit") < frame["decoder"].tolist().index("OMP") < frame["decoder"].tolist().index("top-k")
    )


def test_it_is_there_from_the_front_door():
    assert isinstance(tegum.capacity.table(1024, 8), pd.DataFrame)


def test_a_million_features_take_no_longer_than_a_few():
    frame = table(10**6, 32, 4096, 0.05)
    assert line(frame, "Bayes-AMP")["active"] > 300
    assert line(frame, "Bayes-AMP")["success"] > 0.99


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ((100, 51), "n_active is 51 of 100 features; at most half"),
        ((100, 100), "n_active is 100, but there are 100 features"),
        ((100, 0), "n_active is 0"),
        ((1, 1), "n_features is 1"),
        ((100, 5, 0), "n_dims is 0"),
        ((100, 5, None, -1.0), "noise_std is -1.0"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused_before_any_work(asked, message):
    with pytest.raises(ValueError, match=message):
        table(*asked, measure=True)


def test_a_decoder_that_is_not_in_the_panel_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match=r"no decoder 'topk' in the panel; it has threshold 1/2, Bayes threshold, top-k"):
        table(100, 5, decoders=["topk"])
