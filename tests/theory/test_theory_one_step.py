"""One-step decoders against their definitions in many digits, against decoding itself, and against their own limits."""

import mpmath
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

from tegum.capacity.trials import Setting
from tegum.decoders.linear_probe import LinearProbe
from tegum.theory import (
    bayes_threshold,
    bayes_threshold_dims,
    bayes_threshold_success,
    filter_error,
    filter_error_bound,
    probes_dims,
    probes_success,
    threshold_dims,
    threshold_dims_asymptotic,
    threshold_success,
    topk_dims,
    topk_dims_asymptotic,
    topk_success,
)
from tegum.theory._roots import rising_root

PLACES = [(10, 3), (256, 8), (4096, 16), (10**60, 7), (10**60, 10**20), (10**60, 10**60 - 3), (6, 6), (10**15, 1), (10**60, 1)]


@pytest.mark.parametrize(("d", "n", "k"), [(450, 4096, 16), (300, 40, 38), (25, 100, 1.01)])
def test_topk_success_equals_the_integral_over_the_largest_inactive(d, n, k):
    with mpmath.workdps(25):
        active, other = mpmath.sqrt((mpmath.mpf(k) - 1) / d), mpmath.sqrt(mpmath.mpf(k) / d)

        def chance(y):
            density = (n - k) * mpmath.npdf(y / other) / other * mpmath.ncdf(y / other) ** (n - k - 1)
            return density * mpmath.ncdf((1 - y) / active) ** k

        exact = float(mpmath.nstr(mpmath.quad(chance, [other * t for t in range(-12, 15)]), 20))
    assert topk_success(d, n, k) == pytest.approx(exact, rel=1e-13)


def test_one_active_feature_alone_has_only_the_others_to_beat():
    with mpmath.workdps(30):
        exact = float(mpmath.ncdf(5) ** 99)
    assert topk_success(25, 100, 1) == pytest.approx(exact, rel=1e-14)


@pytest.mark.parametrize(("d", "n", "k"), [(822, 4096, 16), (24, 10, 3), (10**6, 10**60, 1000), (9, 5, 1)])
def test_threshold_success_equals_its_formula_in_50_digits(d, n, k):
    with mpmath.workdps(80):
        right = [mpmath.ncdf(mpmath.sqrt(mpmath.mpf(d) / j) / 2) if j else mpmath.mpf(1) for j in (k - 1, k)]
        exact = float(right[0] ** k * right[1] ** (n - k))
    assert threshold_success(d, n, k) == pytest.approx(
        exact, rel=1e-11
    )  # 1e60 tails of relative error 1e-14, each in an exponent of about 1000


@pytest.mark.parametrize(("n", "k"), PLACES)
@pytest.mark.parametrize("success", [1e-6, 0.5, 0.99, 1 - 1e-9])
def test_dims_and_success_are_inverse(n, k, success):
    """Success is right to a rounding of 1 - success; dims to that over the slope, which is at least the distance to the nearer end."""
    for dims, chance in ((threshold_dims, threshold_success), (topk_dims, topk_success), (bayes_threshold_dims, bayes_threshold_success)):
        if k == n and chance is not threshold_success:
            continue
        d = dims(n, k, success)
        if d == 0:
            assert chance(1e-9, n, k) >= success
            continue
        if k == 1 and chance is bayes_threshold_success:  # which jumps where the threshold falls below 1
            below, above = chance(d * (1 - 1e-12), n, k), chance(d * (1 + 1e-12), n, k)
            assert below * (1 - 1e-9) <= success <= above * (1 + 1e-9)
            continue
        assert chance(d, n, k) == pytest.approx(success, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("n", [100, 10**15, 10**60])
def test_one_feature_is_read_as_soon_as_bayes_threshold_is_below_it(n):
    """1/2 + ln(n - 1) / d < 1 from d = 2 ln(n - 1) on; there the others stay below with chance 1 - n Q(sqrt(d)), .87 or more."""
    assert bayes_threshold_dims(n, 1) == pytest.approx(2 * np.log(float(n - 1)), rel=1e-14)
    d = 2 * np.log(float(n - 1))
    assert bayes_threshold_success(np.array([0.999, 1.001]) * d, n, 1) == pytest.approx([0, 1], abs=0.13)


def test_a_root_is_nan_where_the_function_is():
    """And the roots beside it are found all the same."""
    goal = np.array([3.0, np.nan, 5.0])
    assert rising_root(lambda x: x - goal, np.ones(3)) == pytest.approx([3, np.nan, 5], nan_ok=True)
    assert np.isnan(rising_root(lambda x: np.where(x > 2, np.nan, x - 3), np.float64(1.0)))
    assert np.isnan(rising_root(lambda x: np.where(x > 3.1, x - 3, np.where(x < 1.9, -1.0, np.nan)), np.float64(1.0)))


@settings(max_examples=25)
@given(n=st.integers(2, 10**60), power=st.floats(0, 0.97), d=st.floats(0.01, 100))
def test_more_dims_help_and_more_active_features_hurt(n, power, d):
    k = max(1, int(mpmath.mpf(n) ** power))
    d *= k
    for chance in (threshold_success, topk_success):
        assert chance(d, n, k) <= chance(1.5 * d, n, k) * (1 + 1e-13)
        if 2 * k < n and chance(d, n, k) > 0.5:  # below that, guessing has its say
            assert chance(d, n, k + 1) <= chance(d, n, k) * (1 + 1e-13)


def test_rules_of_thumb_are_approached_as_n_grows():
    """The ratio tends to 1 as 1 / ln n: closer at 10^300 than at 10^60 than at 10^9, and within 10% there."""
    for exact, rule in ((threshold_dims, threshold_dims_asymptotic), (topk_dims, topk_dims_asymptotic)):
        gaps = [abs(exact(n, k) / rule(n, k) - 1) for n, k in ((10**9, 10**3), (10**60, 10**20), (10**300, 10**100))]
        assert gaps[0] > gaps[1] > gaps[2]
        assert gaps[2] < 0.1


def test_the_rule_of_thumb_for_the_threshold_is_safe():
    """The union bound: N exp(-d/8k) / 2 at d = 8 k ln N."""
    n, k = np.array([10, 1000, 10**9]), np.array([2, 20, 1000])
    assert (threshold_success(threshold_dims_asymptotic(n, k), n, k) >= 0.5).all()


def test_what_decoding_reads_lies_between_unit_and_gaussian_directions():
    """N = 256, k = 8 where the formula says 50%: the approximation's error is seen at 12,000 trials (5 standard errors: 1 false alarm in 10^6)."""
    n, k, trials = 256, 8, 12_000
    d = 135
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((trials, k, d)) / d**0.5
    noise = rng.standard_normal((trials, n - k))

    def read(columns, cosines):
        """Given x, an inactive direction's correlation is its cosine or its Gaussian product with x, independent of all the others."""
        x = columns.sum(1)
        lowest = np.einsum("tkd,td->tk", columns, x).min(1)
        return np.mean(lowest > np.linalg.norm(x, axis=1) * cosines.max(1))

    gaussian = read(directions, noise / d**0.5)
    unit = read(
        directions / np.linalg.norm(directions, axis=2, keepdims=True), noise / np.sqrt(noise**2 + rng.chisquare(d - 1, noise.shape))
    )
    error = 0.5 / trials**0.5
    assert gaussian + 5 * error < topk_success(d, n, k) < unit - 5 * error
    assert topk_success(d - 8, n, k) < gaussian < unit < topk_success(d + 8, n, k)


@given(d=st.floats(1e-3, 1e5), k=st.integers(1, 10**6))
def test_one_filter_errs_less_than_chernoffs_bound(d, k):
    assert filter_error(d, k) <= filter_error_bound(d, k) / 2


def test_bayes_threshold_is_where_both_hypotheses_are_as_likely():
    p, variance = 1e-3, 0.04
    r = bayes_threshold(p, variance)
    on, off = p * np.exp(-((r - 1) ** 2) / (2 * variance)), (1 - p) * np.exp(-(r**2) / (2 * variance))
    assert on == pytest.approx(off, rel=1e-12)


def test_bayes_threshold_needs_fewer_dims_than_a_half():
    n, k = np.array([100, 4096, 10**9]), np.array([3, 16, 1000])
    assert (bayes_threshold_dims(n, k) < threshold_dims(n, k)).all()


def test_arrays_broadcast_and_nothing_to_tell_apart_needs_no_dims():
    table = topk_dims(np.array([[256], [4096]]), np.array([2, 8, 32]), 0.9)
    assert np.shape(table) == (2, 3)
    assert np.asarray(table)[1, 1] == topk_dims(4096, 8, 0.9)
    assert topk_dims(6, 6) == 0.0
    assert threshold_dims(2, 1, 0.4) == 0.0  # guessing the one inactive feature is right half the time


@pytest.mark.parametrize("function", [threshold_dims, topk_dims, bayes_threshold_dims])
def test_bad_input_is_refused(function):
    for n, k in ((3, 4), (3, 0), (10.0, float("nan"))):
        with pytest.raises(ValueError, match="k must be from 1 to n"):
            function(n, k)
    with pytest.raises(ValueError, match="success must lie strictly between 0 and 1"):
        function(10, 3, 1.0)
    with pytest.raises(ValueError, match="d must be positive"):
        topk_success(0.0, 10, 3)


def told_apart(d, n, k, noise, rule, trials=4000, seed=5):
    """The share of codes read right, of correlations drawn as the model has them: independent, N(1, (k-1)/d + s^2) and N(0, k/d + s^2)."""
    rng = np.random.default_rng(seed)
    on = 1 + np.sqrt((k - 1) / d + noise**2) * rng.standard_normal((trials, k))
    off = np.sqrt(k / d + noise**2) * rng.standard_normal((trials, n - k))
    return np.mean(rule(on.min(1), off.max(1)))


@pytest.mark.parametrize(
    ("d", "n", "k", "noise"), [(200.0, 256, 8, 0.1), (1000.0, 256, 8, 0.19), (90.0, 40, 3, 0.3), (60.0, 200, 1, 0.2), (1e300, 256, 8, 0.15)]
)
def test_noise_adds_to_every_correlation(d, n, k, noise):
    """4,000 codes of independent normals; 5 standard errors: 1 false alarm in 10^6."""
    bayes = 0.5 + (k / d + noise**2) * np.log((n - k) / k)
    for chance, rule in (
        (threshold_success, lambda on, off: (on > 0.5) & (off < 0.5)),
        (bayes_threshold_success, lambda on, off: (on > bayes) & (off < bayes)),
        (topk_success, lambda on, off: on > off),
    ):
        exact = chance(d, n, k, noise)
        assert told_apart(d, n, k, noise, rule) == pytest.approx(exact, abs=5 * np.sqrt(exact * (1 - exact) / 4000) + 1e-3)


@pytest.mark.parametrize("dims", [threshold_dims, topk_dims, bayes_threshold_dims])
def test_no_noise_is_noise_of_nothing_and_a_little_changes_little(dims):
    """The variances k/d gain s^2, so dims grow by d s^2 / k of themselves: 10^-7 or so."""
    for n, k in ((256, 8), (4096, 16), (10**9, 1000)):
        assert dims(n, k, 0.5, 0.0) == dims(n, k)
        d = dims(n, k)
        assert dims(n, k, 0.5, 1e-5) == pytest.approx(d * (1 + d * 1e-10 / k), rel=1e-7)


@pytest.mark.parametrize(
    ("dims", "chance"), [(threshold_dims, threshold_success), (topk_dims, topk_success), (bayes_threshold_dims, bayes_threshold_success)]
)
def test_noise_may_leave_no_number_of_dims_enough(dims, chance):
    """Enough dims leave noise alone, where 256 normals pass or do not; dims and success are inverse up to there."""
    n, k, noise = 256, 8, np.array([0.05, 0.15, 0.18, 0.3])
    needs = dims(n, k, 0.5, noise)
    enough = chance(1e300, n, k, noise) > 0.5
    assert (np.isfinite(needs) == enough).all()
    assert enough[0]
    assert not enough[-1]
    assert (np.diff(needs[enough]) > 0).all()
    assert chance(needs[enough], n, k, noise[enough]) == pytest.approx(0.5, rel=1e-9)
    with pytest.raises(ValueError, match="noise_std must be 0 or above"):
        dims(n, k, 0.5, -0.1)


def test_the_threshold_ends_where_as_many_normals_as_features_pass_it():
    """(1 - Q(1 / 2s))^n = 1/2."""
    n, k = 1024, 8
    end = 0.5 / scipy.special.ndtri(0.5 ** (1 / n))
    assert np.isfinite(threshold_dims(n, k, 0.5, end * (1 - 1e-6)))
    assert np.isinf(threshold_dims(n, k, 0.5, end * (1 + 1e-6)))


@pytest.mark.parametrize(("n", "k"), [(256, 8), (4096, 16), (10**6, 1000)])
def test_probes_need_the_dims_of_a_tight_frame(n, k):
    """Interference of (k/d)(1 - d/n): as without it in d / (1 - d/n) dims; never more than n, and all is read from n on."""
    need = topk_dims(n, k)
    assert probes_dims(n, k) == pytest.approx(need / (1 + need / n), rel=1e-14)
    assert probes_dims(n, k) < min(need, n)
    assert probes_success(probes_dims(n, k, 0.9), n, k) == pytest.approx(0.9, rel=1e-9)
    assert probes_success([n, 2 * n], n, k).tolist() == [1, 1]
    with pytest.raises(ValueError, match="k must be from 1 to n"):
        probes_dims(3, 4)
    with pytest.raises(ValueError, match="d must be positive"):
        probes_success(0.0, 10, 3)


def test_probes_read_as_many_codes_as_their_formula_says():
    """N = 256, k = 16 through 64 Gaussian dictionaries, 1,024 codes: 5 standard errors, and 7 dims of what the formula takes to be independent."""
    n, k = 256, 16
    d = round(probes_dims(n, k))
    setting = Setting(n_features=n, n_active=k, dictionary="gaussian")
    share = setting.count(LinearProbe(n_active=k, values="binary"), d, 0, 1024).right / 1024
    error = 5 * 0.5 / 1024**0.5
    assert probes_success(d - 7, n, k) - error < share < probes_success(d + 7, n, k) + error
    assert topk_success(d + 7, n, k) + error < share
