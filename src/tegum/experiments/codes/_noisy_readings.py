"""What is measured of rules that read through noise: the dims that one needs, the noise that one bears, and what one reads that fits noise.

Noise of each level meets codes of its own: the same codes at all levels would make counts that are not independent, and intervals too narrow.
"""

import numpy as np

from tegum.capacity.transition import Transition, transition
from tegum.capacity.trials import Setting
from tegum.experiments import Cell, Row
from tegum.experiments.codes._middles import counted
from tegum.experiments.codes._noisy_rules import RULES, noise_borne
from tegum.theory.penalised_reading import best_penalty, penalised_success

ONE_LOOK = ("threshold 1/2", "Bayes threshold", "top-k")
KIND = "spherical"  # directions of length 1, in which noise is told
SLOW = ("basis pursuit", "AMP", "lasso", "Bayes-AMP")
SEEN = 0.75  # of the codes, by theory from some number of dims: levels of noise that count
FAR = 16  # dims a feature, at most
AROUND = (0.8, 0.9, 1.0, 1.1, 1.2)  # noise tried, in units of what theory has borne
FITTED = (0.125, 0.25, 0.375, 0.5, 0.6875, 0.875, 1.25)  # dims a feature, where noise is fitted
FITTED_ACTIVE = 4


def course(cell: Cell, n: int, k: int, most: float) -> Row:
    """The dims that theory says, over noise up to where rules of one look end, closer there; up to `most` for rules whose law takes long."""
    noise = np.linspace(1e-3, most, 20)
    if cell.rule not in ("AMP", "basis pursuit"):
        ends = [noise_borne(name, n, k) for name in ONE_LOOK]
        noise = np.unique(np.concatenate([np.linspace(1e-3, max(ends), 30), *(end * (1 - np.geomspace(0.08, 1e-3, 10)) for end in ends)]))
    return Row(noise=noise, dims=np.array([RULES[cell.rule].dims(n, k, s) for s in noise.tolist()]))


def needs(cell: Cell, n: int, k: int, seed: int, budget: int) -> Row:
    """The dims at which half of the codes are read, by a search.

    Nothing is looked at where a rule rises too slowly, or is not asked: where theory does not have `SEEN` of the codes read from at most `FAR` dims a
    feature, by the rule or, if it has no law, by top-k.
    """
    rule, noise = RULES[cell.rule], cell.noise_std
    law = rule.dims(n, k, noise)
    if not (rule if rule.law else RULES["top-k"]).dims(n, k, noise, SEEN if noise else 0.5) <= FAR * n:
        nothing = np.empty(0, int)
        return Row(dims=nothing, right=nothing, trials=nothing, law=law)
    guess = min(1.5 * RULES["Bayes-AMP"].dims(n, k, noise), RULES["top-k"].dims(n, k, noise)) if np.isnan(law) else law
    setting, decoder = Setting(n_features=n, n_active=k, noise_std=noise, dictionary=KIND, seed=seed), rule.make(n, k, noise)
    dims, right, trials = counted(setting, decoder, guess, budget, FAR * n)
    return Row(dims=dims, right=right, trials=trials, law=law)


def bears(cell: Cell, n: int, k: int, seed: int, trials: int) -> Row:
    """The noise through which half of the codes are read from some dims: counts at noise about that of theory. The lasso is told its middle.

    Nothing is looked at where there is no such noise, nor of the lasso beyond 2 n dims: its steps need an eigenvalue of d x d numbers.
    """
    rule = RULES[cell.rule]
    middle = noise_borne(cell.rule if rule.law else "Bayes-AMP", n, k, cell.n_dims)  # a rule without a law is near that
    if np.isnan(middle) or (cell.rule == "lasso" and cell.n_dims > 2 * n):
        return Row(noise=np.empty(0), right=np.empty(0, int), trials=np.empty(0, int), law=middle)
    noise = middle * np.array(AROUND)
    right = []
    for place, s in enumerate(noise.tolist()):
        setting = Setting(n_features=n, n_active=k, noise_std=s, dictionary=KIND, seed=seed)
        decoder = rule.make(n, k, middle if cell.rule == "lasso" else s)
        right.append(setting.count(decoder, cell.n_dims, place * trials, trials).right)
    return Row(noise=noise, right=np.array(right), trials=np.full(len(noise), trials), law=middle)


def fits(cell: Cell, n: int, noise: float, seed: int, trials: int) -> Row:
    """How many codes are read from few dims and from more than there are features; and the law's course."""
    k = FITTED_ACTIVE
    penalty = float(best_penalty(n, k, noise)) if cell.rule == "lasso" else 0.0
    setting, decoder = Setting(n_features=n, n_active=k, noise_std=noise, dictionary=KIND, seed=seed), RULES[cell.rule].make(n, k, noise)
    dims = np.array([round(ratio * n) for ratio in FITTED])
    course = np.unique(np.geomspace(dims[0], dims[-1], 30).round())
    right = np.array([setting.count(decoder, int(d), 0, trials).right for d in dims])
    law = np.asarray(penalised_success(course, n, k, noise, penalty))
    return Row(dims=dims, right=right, trials=np.full(len(dims), trials), course=course, law=law)


def dims_needed(row: Row) -> Transition | None:
    """The transition of a row of `needs`."""
    return transition(row.dims, row.right, row.trials)


def quiet_needed(row: Row) -> Transition | None:
    """That of a row of `bears`, in 1 / noise."""
    return transition(1 / row.noise, row.right, row.trials)


def crossing(places: np.ndarray, ahead: np.ndarray, spread: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Where a lead is lost: `ahead`, its logarithm at `places`, falls through 0 on straight lines; and where its 95% band, +- `spread`, does.

    0 where it is lost before the first place, inf where it is not by the last.
    """
    middle, early, late = (_falls_through_zero(places, values) for values in (ahead, ahead - spread, ahead + spread))
    return middle, (early, late)


def _falls_through_zero(places: np.ndarray, values: np.ndarray) -> float:
    lost = np.flatnonzero(values <= 0)
    if not len(lost):
        return np.inf
    at = int(lost[0])
    if at == 0:
        return 0.0
    return float(places[at - 1] + (places[at] - places[at - 1]) * values[at - 1] / (values[at - 1] - values[at]))
