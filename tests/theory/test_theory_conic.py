"""Exact success of l1 against angles of small cones, brute force projections, and linear programs on Gaussian dictionaries."""

import math

import numpy as np
import pytest
import scipy.optimize

from tegum.theory import face_dims, l1_success


def read_by_programs(n, k, d, trials, *, signed, seed):
    """How often the least l1 norm is the code itself: HiGHS, on i.i.d. Gaussian dictionaries."""
    rng = np.random.default_rng(seed)
    code = np.repeat((1.0, 0.0), (k, n - k))
    right = 0
    for _ in range(trials):
        directions = rng.standard_normal((d, n)) / d**0.5
        both = np.hstack((directions, -directions)) if signed else directions
        found = scipy.optimize.linprog(np.ones(both.shape[1]), A_eq=both, b_eq=directions @ code, method="highs")
        z = found.x[:n] - found.x[n:] if signed else found.x
        right += abs(z - code).max() < 1e-6
    return right / trials


def test_volumes_of_two_features_are_the_angles_of_plane_cones():
    """Non-negative: the cone between (-1, 1) and (-1, 0), an eighth turn. Signed: a quarter turn. 5 standard errors of 20,000."""
    slack = 5 * 0.5 / 20_000**0.5
    for signed, turns in ((False, (3 / 8, 1 / 2, 1 / 8)), (True, (1 / 4, 1 / 2, 1 / 4))):
        volumes = np.bincount(face_dims(2, 1, signed=signed), minlength=3) / 20_000
        assert volumes == pytest.approx(np.array(turns), abs=slack)


def test_volumes_of_three_features_are_solid_angles():
    """{u2, u3 >= 0, u1 <= -(u2 + u3)}: v_3 by van Oosterom & Strackee's formula from its edges; its polar's is v_0."""
    edges = np.array([[-1.0, 1, 0], [-1, 0, 1], [-1, 0, 0]])
    normals = np.array([[1.0, 1, 1], [0, -1, 0], [0, 0, -1]])

    def share(rays):
        a, b, c = rays / np.linalg.norm(rays, axis=1, keepdims=True)
        return 2 * math.atan2(abs(np.linalg.det([a, b, c])), 1 + a @ b + b @ c + c @ a) % (2 * math.pi) / (4 * math.pi)

    volumes = np.bincount(face_dims(3, 1), minlength=4) / 20_000
    slack = 5 * 0.5 / 20_000**0.5
    assert volumes[[0, 3]] == pytest.approx([share(normals), share(edges)], abs=slack)


@pytest.mark.parametrize("signed", [False, True])
def test_faces_drawn_from_the_top_down_are_those_of_whole_vectors(signed):
    """The projection by bisection of tau on whole Gaussian vectors: same mean and spread, to 5 standard errors of the difference."""
    n, k, trials = 60, 5, 20_000
    rng = np.random.default_rng(3)
    on, off = rng.standard_normal((trials, k)), rng.standard_normal((trials, n - k))
    off = abs(off) if signed else off
    low, high = np.zeros(trials), np.full(trials, 10.0)
    for _ in range(60):
        tau = (low + high) / 2
        falls = (on - tau[:, None]).sum(1) + np.maximum(off - tau[:, None], 0).sum(1) > 0
        low, high = np.where(falls, tau, low), np.where(falls, high, tau)
    faces = k + (off > high[:, None]).sum(1) - (low > 0)
    ours = face_dims(n, k, signed=signed, trials=trials, seed=2)
    assert ours.mean() == pytest.approx(faces.mean(), abs=5 * faces.std() * (2 / trials) ** 0.5)
    assert ours.std() == pytest.approx(faces.std(), rel=5 / trials**0.5)


@pytest.mark.parametrize(("signed", "d"), [(False, 11), (False, 14), (True, 16)])
def test_chances_are_those_of_linear_programs(signed, d):
    """120 programs a point at n = 64, k = 4: 4 standard errors, 1 false alarm in 5,000 runs of the three."""
    exact = l1_success(d, 64, 4, signed=signed).probability
    assert 0.1 < exact < 0.9
    assert read_by_programs(64, 4, d, 120, signed=signed, seed=d) == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 120) ** 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("d", [22, 26, 30])
def test_a_thousand_features_are_read_as_often_as_it_says(d):
    """300 programs a point at n = 1024, k = 4: 4 standard errors."""
    exact = l1_success(d, 1024, 4).probability
    assert read_by_programs(1024, 4, d, 300, signed=False, seed=d) == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 300) ** 0.5)


def test_every_dim_is_enough_and_chances_rise():
    found = l1_success(np.arange(1, 31), 30, 6)
    assert found.probability[-1] == 1
    assert (np.diff(found.probability) >= -4 * found.standard_error[1:]).all()
    assert ((found.low <= found.probability) & (found.probability <= found.high)).all()


def test_intervals_shrink_with_trials_and_agree():
    few, many = (l1_success(25, 1024, 4, trials=trials, seed=trials) for trials in (2_000, 32_000))
    assert 3.5 < few.standard_error / many.standard_error < 4.5  # root of 16
    assert few.low - few.standard_error < many.probability < few.high + few.standard_error  # 3 standard errors


def test_a_draw_does_not_depend_on_its_company():
    assert (face_dims(200, 5, trials=50_000, seed=7)[:300] == face_dims(200, 5, trials=300, seed=7)).all()


def test_features_beyond_any_machine_are_no_slower():
    d = np.array([1700, 1800, 1900])
    low, middle, high = l1_success(d, 10**60, 7, trials=300).probability
    assert low < 0.2 < middle < 0.8 < high


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="k must be from 1 to n"):
        l1_success(3, 4, 5)
    with pytest.raises(ValueError, match="whole numbers"):
        l1_success(2.5, 4, 2)
    with pytest.raises(ValueError, match="trials is 10"):
        l1_success(2, 4, 2, trials=10)
