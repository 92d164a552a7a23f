"""Searches: they find the 50% and 99% points of a known law, stop by their rule, never go astray, and can be repeated."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from tegum.capacity import Rule, Setting, measure_need
from tegum.capacity.trials import Count
from tegum.decoders.basis_pursuit import BasisPursuit
from tegum.decoders.top_k import TopK
from tegum.theory import threshold_dims, threshold_success


@dataclass(frozen=True)
class World:
    """A setting in which codes are read by a known law; each trial's fate is settled by its number."""

    d50: float
    width: float
    seed: int = 0

    def count(self, decoder, n_dims, first, trials):
        del decoder
        luck = np.random.default_rng((self.seed, n_dims)).random(first + trials)[first:]
        return Count(int((luck < ndtr((n_dims - self.d50) / self.width)).sum()), 0.0)


def search(world, guess, rule=None, **more):
    return measure_need(world, TopK(n_active=1), guess, rule, **more)


@pytest.mark.parametrize(("d50", "width"), [(100.0, 8.0), (450.0, 90.0), (9.0, 2.0), (3000.0, 40.0)])
@pytest.mark.parametrize("off", [0.1, 1.0, 10.0])
def test_the_middle_is_found_from_any_guess(d50, width, off):
    held = [
        need.fit.interval[0] <= d50 <= need.fit.interval[1]
        for seed in range(12)
        for need in [search(World(d50, width, seed), off * d50)]
        if need.fit is not None
    ]
    assert len(held) == 12
    assert sum(held) >= 8  # binomial(12, .95): below 8 once in 5,000


def test_it_stops_as_soon_as_both_intervals_are_narrow_enough():
    rule = Rule(precision=0.05, precision_99=0.1, budget=10_000)
    need = search(World(100.0, 8.0), 100.0, rule)
    assert need.stopped == "precise"
    assert rule.met(need.fit)
    assert need.trials.sum() < 1_000


def test_no_luck_of_a_first_look_ends_a_search():
    """In some worlds the first look below the middle does well, and the fit is sure, and wrong; a whole turn of looks puts it right."""
    for seed in range(40):
        need = search(World(169.0, 15.0, seed), 169.0, Rule(look=64))
        assert need.trials.sum() >= 3 * 64
        assert need.fit.d50 == pytest.approx(169.0, rel=0.035)


def test_the_budget_is_never_exceeded_by_more_than_what_brackets_the_middle():
    need = search(World(450.0, 150.0), 400.0, Rule(precision=0.001, precision_99=0.001, budget=300))
    assert need.stopped == "budget"
    assert need.trials.sum() == 300


def test_what_lies_beyond_what_may_be_looked_at_is_said_so():
    assert search(World(5_000.0, 10.0), 100.0, Rule(most_dims=512)).stopped == "above"
    assert search(World(-5.0, 1.0), 100.0).stopped == "below"
    assert search(World(-5.0, 1.0), 100.0).fit is None


@settings(max_examples=60, deadline=None)
@given(
    d50=st.floats(0.2, 5_000),
    width=st.floats(1e-3, 0.6),
    guess=st.floats(0.5, 1e5),
    seed=st.integers(0, 100),
    most=st.integers(1, 4_096),
)
def test_every_search_ends_within_its_dims(d50, width, guess, seed, most):
    need = search(World(d50, width * d50, seed), guess, Rule(budget=200, most_dims=most), ladder=(2, 16, 128))
    assert need.dims.min() >= 1
    assert need.dims.max() <= most
    assert need.fit is not None or need.stopped in ("above", "below")
    assert need.stopped in ("above", "below", "budget", "precise")
    assert need.trials.sum() <= 200 + 16 * 40 + 3 * 16


def test_a_bracket_that_later_looks_take_back_is_made_again():
    """In these worlds half are read from so few dims that luck moves the middle out of all that was looked at."""
    for seed in range(60):
        need = search(World(2.0, 1.0, seed), 2.0, Rule(budget=200))
        assert need.fit is not None or need.stopped in ("above", "below")


@pytest.mark.parametrize(("n", "k", "noise"), [(256, 4, 0.15), (1024, 8, 0.13), (256, 4, 0.1)])
def test_what_noise_leaves_unread_is_not_taken_for_more_dims(n, k, noise):
    """From dims without end a threshold reads some part of the codes only, and theory says which; no search makes up a number for more."""

    @dataclass(frozen=True)
    class Noisy:
        seed: int

        def count(self, decoder, n_dims, first, trials):
            luck = np.random.default_rng((self.seed, n_dims)).random(first + trials)[first:]
            return Count(int((luck < threshold_success(n_dims, n, k, noise)).sum()), 0.0)

    truth, far = (float(threshold_dims(n, k, share, noise)) for share in (0.5, 0.99))
    needs = [measure_need(Noisy(seed), TopK(n_active=1), truth, Rule(budget=512)) for seed in range(30)]
    fits = [need.fit for need in needs if need.fit is not None]
    assert len(fits) == 30
    assert sum(fit.interval[0] <= truth <= fit.interval[1] for fit in fits) >= 24  # binomial(30, .95): below 24 once in 900
    assert sum(fit.interval_at(0.99)[1] >= far for fit in fits) >= 24


def test_a_search_can_be_repeated():
    setting = Setting(n_features=64, n_active=2)
    one, two = (measure_need(setting, TopK(n_active=2), 20, Rule(budget=100)) for _ in range(2))
    assert (one.dims == two.dims).all()
    assert (one.right == two.right).all()


def test_trials_add_up_however_they_are_split():
    setting, decoder = Setting(n_features=300, n_active=3), BasisPursuit()
    whole = setting.count(decoder, 16, 0, 60).right
    assert whole == setting.count(decoder, 16, 0, 23).right + setting.count(decoder, 16, 23, 37).right
    assert 0 < whole < 60


def test_noise_is_in_what_is_read():
    quiet, loud = (Setting(n_features=256, n_active=2, noise_std=std).count(TopK(n_active=2), 60, 0, 64).right for std in (0.0, 1.0))
    assert quiet > 55
    assert loud < 10


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_active": 64}, "n_active is 64, but there are 64 features"),
        ({"noise_std": -1.0}, "noise_std is -1.0"),
        ({"noise_std": float("nan")}, "noise_std is nan"),
        ({"dictionary": "gausian"}, "dictionary is 'gausian'; it must be one of gaussian"),
        ({"n_features": 1}, "n_features is 1"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Setting(**({"n_features": 64, "n_active": 2} | wrong))


def test_a_rule_and_a_guess_are_positive():
    with pytest.raises(ValueError, match="precision is 0"):
        Rule(precision=0)
    with pytest.raises(ValueError, match="guess is nan"):
        search(World(10.0, 1.0), float("nan"))


def test_a_large_setting_takes_a_dictionary_that_is_not_written_down():
    assert Setting(n_features=1 << 18, n_active=4).dictionary == "hadamard, in blocks"
    assert Setting(n_features=1 << 16, n_active=4).dictionary == "gaussian"


def test_the_table_of_a_search_has_wilsons_intervals():
    table = search(World(100.0, 8.0), 100.0).to_dataframe()
    assert ((table["low"] <= table["share"]) & (table["share"] <= table["high"])).all()
    assert (table["high"] - table["low"] > 0).all()
