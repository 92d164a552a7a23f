"""Curves of laws are the laws, where they speak."""

import numpy as np
import pytest

from tegum.capacity.law_curves import law_curves
from tegum.capacity.laws import LAWS


def test_a_curve_is_its_law_around_the_point_that_is_asked_for():
    curves = law_curves(4096, 16, ["top-k", "(one dim a bit)"])
    assert set(curves) == {"top-k", "one dim a bit"}
    on, dims = curves["top-k"]
    assert (on[0], on[-1]) == (2, 128)
    assert np.allclose(dims, [float(LAWS["top-k"].dims(4096, k, 0.5, 0.0)) for k in on])


def test_a_law_that_does_not_speak_has_no_curve_and_an_unknown_one_is_refused():
    assert set(law_curves(4096, 16, ["basis pursuit, signed"])) == {"basis pursuit, signed"}
    assert not law_curves(4096, 16, ["basis pursuit, signed"], noise_std=0.1)
    with pytest.raises(KeyError):
        law_curves(4096, 16, ["guess"])
