"""The lasso through noise: against its two equations solved by scipy, against the lasso itself and least squares, and in its limits."""

import numpy as np
import pytest
import scipy.optimize
from scipy.stats import norm

from tegum.capacity.trials import Setting
from tegum.decoders.homotopy import Homotopy
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.theory import lasso_dims, minimax_alpha, soft_threshold_error
from tegum.theory.penalised_reading import best_penalty, penalised_dims, penalised_success


def chance(n, k, alpha, tau):
    """All entries right after rounding, by the normal law."""
    on = norm.cdf(alpha + 0.5 / tau) - norm.cdf(alpha - 0.5 / tau)
    return on**k * norm.cdf(alpha + 0.5 / tau) ** (n - k)


@pytest.mark.parametrize(
    ("d", "n", "k", "noise", "penalty"),
    [(72, 1024, 8, 0.1, 0.046), (150, 1024, 8, 0.1, 0.01), (40, 128, 4, 0.1, 0.2), (300, 256, 8, 0.2, 0.05)],
)
def test_the_chance_is_that_of_the_two_equations_solved_otherwise(d, n, k, noise, penalty):
    """By scipy's fsolve from the error by `soft_threshold_error`; both to 1e-6 or so."""

    def lacks(unknown):
        alpha, tau = np.exp(unknown)
        passed = k * norm.cdf(1 / tau - alpha) + (n - k) * norm.sf(alpha)
        variance = noise**2 + n / d * soft_threshold_error("binary", k / n, tau**2, alpha)
        return [np.log(variance / tau**2), np.log(alpha * tau * (1 - passed / d) / penalty) if passed < d else 10 + passed / d]

    found, _, flag, _ = scipy.optimize.fsolve(lacks, np.log([minimax_alpha(0.05), 1.5 * noise + 0.05]), full_output=True)
    assert flag == 1
    assert penalised_success(d, n, k, noise, penalty) == pytest.approx(chance(n, k, *np.exp(found)), rel=1e-4, abs=1e-9)


@pytest.mark.parametrize(
    ("n", "k", "noise", "success"), [(1024, 8, 0.05, 0.5), (1024, 8, 0.15, 0.5), (4096, 16, 0.1, 0.9), (128, 4, 0.1, 0.3)]
)
def test_dims_and_chance_are_inverse_and_the_best_penalty_is_the_best(n, k, noise, success):
    d, penalty = penalised_dims(n, k, noise, success), best_penalty(n, k, noise, success)
    assert penalised_success(d, n, k, noise, penalty) == pytest.approx(success, rel=1e-5)
    assert penalised_dims(n, k, noise, success, penalty) == pytest.approx(d, rel=1e-6)
    for other in (0.7, 0.95, 1.05, 1.4):
        assert penalised_dims(n, k, noise, success, other * penalty) > d
        assert penalised_success(d, n, k, noise, other * penalty) < success


@pytest.mark.parametrize(("n", "k"), [(1024, 8), (4096, 16), (200, 20)])
def test_as_noise_goes_to_nothing_so_does_the_penalty_and_the_dims_are_those_of_l1(n, k):
    """A tau that is left does not matter to rounding: less than one dim in 10^4, by which active entries at 1 are no small ones."""
    for penalty in (None, 0.0):
        assert penalised_dims(n, k, 1e-3, 0.5, penalty) == pytest.approx(lasso_dims(n, k), rel=1e-3)
    assert best_penalty(n, k, 1e-3) < 1e-4
    assert 5 < best_penalty(n, k, 0.1) / best_penalty(n, k, 0.05) * 2 < 10  # s^2, a little less


def test_no_dims_are_enough_from_some_noise_on():
    assert np.isfinite(penalised_dims(1024, 8, 0.19))
    assert np.isinf(penalised_dims(1024, 8, 0.2))
    assert np.isnan(best_penalty(1024, 8, 0.2))


def test_basis_pursuit_reads_more_then_nothing_then_more():
    """At d = n/2 it has as many features as dims to explain noise with."""
    rising, falling, after = (
        penalised_success(np.array(dims), 1024, 8, 0.1, 0.0) for dims in ([60, 80, 150], [200, 300, 400, 511], [700, 900, 1500])
    )
    assert (np.diff(rising) > 0.1).all()
    assert (np.diff(falling) < 0).all()
    assert falling[-1] < 1e-9
    assert (np.diff(after) > 0.1).all()


@pytest.mark.parametrize("d", [150, 320, 500])
def test_entries_are_as_far_off_as_the_threshold_and_its_noise_say(d):
    """Basis pursuit below n/2 and non-negative least squares above, N = 240, by scipy: the mean squared error of 30 samples against n/d error.

    5 standard errors of the mean, and 10% for the size.
    """
    n, k, noise = 240, 8, 0.1
    rng = np.random.default_rng(3)
    errors = []
    for seed in range(30):
        table = gaussian(n, d, seed=seed).dense().double().numpy()
        z = np.zeros(n)
        z[rng.choice(n, k, replace=False)] = 1
        x = z @ table + noise * rng.standard_normal(d)
        found = (
            scipy.optimize.nnls(table.T, x, maxiter=10_000)[0] if d > n / 2 else scipy.optimize.linprog(np.ones(n), A_eq=table.T, b_eq=x).x
        )
        errors.append(np.sum((found - z) ** 2) / d)
    tau = settled(d, n, k, noise)
    assert np.mean(errors) == pytest.approx(tau**2 - noise**2, abs=5 * np.std(errors) / 30**0.5 + 0.1 * tau**2)


def settled(d, n, k, noise):
    """tau of penalty 0: by halving alpha until d entries pass, or at alpha 0."""

    def tau_of(alpha):
        return np.sqrt(scipy.optimize.brentq(
            lambda v: v - noise**2 - n / d * soft_threshold_error("binary", k / n, v, alpha), noise**2 * (1 + 1e-12), 1e4
        ))  # fmt: skip

    def more(alpha):
        tau = tau_of(alpha)
        return k * norm.cdf(1 / tau - alpha) + (n - k) * norm.sf(alpha) - d

    return tau_of(scipy.optimize.brentq(more, 0.35, 4)) if d < n / 2 else tau_of(0.0)


def test_the_lasso_reads_as_many_codes_as_its_law_says():
    """N = 512, k = 8, 64 codes each from few dims, about 50% and from many: 5 standard errors, and 10 dims, by which B11 finds the law off here."""
    n, k, noise = 512, 8, 0.1
    penalty = float(best_penalty(n, k, noise))
    setting, d50 = Setting(n_features=n, n_active=k, noise_std=noise), penalised_dims(n, k, noise)
    for part in (0.6, 1.0, 1.5):
        d = round(part * d50)
        share = setting.count(Homotopy(penalty=penalty), d, 0, 64).right / 64
        low, high = penalised_success(np.array([d - 10.0, d + 10.0]), n, k, noise, penalty)
        assert low - 5 * 0.5 / 64**0.5 < share < high + 5 * 0.5 / 64**0.5


def test_arrays_broadcast_and_bad_input_is_refused():
    table = penalised_dims([[256], [1024]], 8, [0.05, 0.1, 0.3])
    assert np.shape(table) == (2, 3)
    assert table[1, 1] == penalised_dims(1024, 8, 0.1)
    with pytest.raises(ValueError, match="k must be from 1 to n - 1"):
        penalised_dims(3, 3, 0.1)
    with pytest.raises(ValueError, match="noise_std must be positive"):
        penalised_dims(30, 3, 0.0)
    with pytest.raises(ValueError, match="penalty must be 0 or above"):
        penalised_dims(30, 3, 0.1, 0.5, -1.0)
    with pytest.raises(ValueError, match="success must lie strictly between 0 and 1"):
        best_penalty(30, 3, 0.1, 1.0)
    with pytest.raises(ValueError, match="d must be positive"):
        penalised_success(0.0, 30, 3, 0.1, 0.1)


@pytest.mark.parametrize("k", [1, 8, 64])
@pytest.mark.parametrize("noise", [1e-9, 1e-4, 0.02])
def test_next_to_no_noise_leaves_success_and_dims_of_one_mind(k, noise):
    """Where one alpha has tau from the noise up to a tenth, and where few features are on, so that tau is near the noise."""
    d = float(penalised_dims(4096, k, noise, 0.5, penalty=0.1))
    assert float(penalised_success(d, 4096, k, noise, 0.1)) == pytest.approx(0.5, abs=1e-3)
    shares = [float(penalised_success(times * d, 4096, k, noise, 0.1)) for times in (0.7, 0.9, 1.1, 1.5, 3, 10, 40)]
    assert shares == sorted(shares)
    assert shares[-1] > 0.999999
