"""Laws: what theory says of each decoder of the panel: the dims that it needs, and its chance of success from d dims, for k of n features on at 1.

A decoder without a law is left to measurement. Message passing without noise has a limit law, a step, whose width at finite size is not known: no
more than its place is told, and `success` is that step. Beside them stand the rule of one dim a bit and Shannon's limit, to
compare with: the latter is for reading without errors; half of a set of codes may be read from less.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tegum import theory
from tegum.theory._counts import Real
from tegum.theory._numbers import Numbers
from tegum.theory.penalised_reading import best_penalty, penalised_dims, penalised_success

PENALTY = 0.1  # of the lasso where there is no noise: without one it is basis pursuit
_NO_NOISE = 1e-9  # which no digit of what is read at that penalty depends on


@dataclass(frozen=True)
class Law:
    """`dims(n, k, success, noise_std)` and, where there is one, `success(d, n, k, noise_std)`; nan where the law does not speak.

    `rises` where more dims never harm and `dims` is the quicker of the two: then it tells what is read from dims at hand.
    """

    dims: Callable[[Numbers, Numbers, float, float], Real]
    success: Callable[[Numbers, int, int, float], Real] | None
    source: str
    rises: bool = False


def _noiseless(rule: Callable[..., Real]) -> Callable[..., Real]:
    """A law that speaks only where there is no noise: its last argument."""
    return lambda *asked: rule(*asked[:-1]) if asked[-1] == 0 else np.float64(np.nan)


def _bayes_dims(n: Numbers, k: Numbers, success: float, noise_std: float) -> Real:
    if noise_std == 0:
        return theory.bayes_dims(n, k) if success == 0.5 else np.full(np.broadcast_shapes(np.shape(n), np.shape(k)), np.nan)[()]
    return _where_noise_binds(theory.bayes_reading_dims, n, k, noise_std, success)


def _amp_dims(n: Numbers, k: Numbers, success: float, noise_std: float) -> Real:
    if noise_std == 0:
        return theory.lasso_dims(n, k, success=success)
    return _where_noise_binds(theory.amp_reading_dims, n, k, noise_std, success)


def _where_noise_binds(rule: Callable[..., Real], n: Numbers, k: Numbers, noise_std: float, success: float) -> Real:
    """nan where a rule rises to that success faster than l1 does without noise: there the width at finite size, which it lacks, decides."""
    half = rule(n, k, noise_std, 0.5)
    if success == 0.5:
        return half
    found, width = rule(n, k, noise_std, success), theory.lasso_dims(n, k, success=success) / theory.lasso_dims(n, k)
    return np.where(found <= half * width, np.nan, found)[()]


def _amp_success(d: Numbers, n: int, k: int, noise_std: float) -> Real:
    return theory.lasso_success(d, n, k) if noise_std == 0 else theory.amp_reading_success(d, n, k, noise_std)


def _basis_pursuit_dims(n: Numbers, k: Numbers, success: float, noise_std: float) -> Real:
    """Through noise, which it fits: the lasso at a penalty of 0."""
    if noise_std == 0:
        return theory.lasso_dims(n, k, success=success)
    return _where_noise_binds(lambda *asked: penalised_dims(*asked, penalty=0.0), n, k, noise_std, success)


def _basis_pursuit_success(d: Numbers, n: int, k: int, noise_std: float) -> Real:
    return theory.lasso_success(d, n, k) if noise_std == 0 else penalised_success(d, n, k, noise_std, penalty=0.0)


def lasso_penalty(n: int, k: int, noise_std: float) -> float:
    """The lasso's penalty in the panel: the best one where half of the codes are read; `PENALTY` without noise, and where none is enough."""
    best = float(best_penalty(n, k, noise_std)) if noise_std else PENALTY
    return PENALTY if np.isnan(best) else best


def _lasso_dims(n: Numbers, k: Numbers, success: float, noise_std: float) -> Real:
    """At the panel's penalty, which is the best one for half of the codes, at whatever share."""
    if success == 0.5 and noise_std:
        return penalised_dims(n, k, noise_std)
    sizes = np.broadcast_arrays(np.asarray(n), np.asarray(k))
    found = [float(_one_lasso_dims(int(n), int(k), success, noise_std)) for n, k in zip(*(size.flat for size in sizes), strict=True)]
    return np.reshape(found, sizes[0].shape)[()]


def _one_lasso_dims(n: int, k: int, success: float, noise_std: float) -> Real:
    penalty = lasso_penalty(n, k, noise_std)
    return _where_noise_binds(lambda n, k, s, share: penalised_dims(n, k, s, share, penalty), n, k, noise_std or _NO_NOISE, success)


def _lasso_success(d: Numbers, n: int, k: int, noise_std: float) -> Real:
    return penalised_success(d, n, k, noise_std or _NO_NOISE, lasso_penalty(n, k, noise_std))


def _bits(n: Numbers, k: Numbers, success: float, noise_std: float) -> Real:  # noqa: ARG001
    return np.asarray(theory.subset_bits(np.asarray(n), np.asarray(k)), dtype=np.float64)


_GAUSSIAN = "Gaussian correlations, taken as independent"
_L1 = "Amelunxen, Lotz, McCoy & Tropp 2014"
_BAYES = Law(_bayes_dims, theory.bayes_reading_success, "state evolution: Krzakala et al. 2012")
LAWS: dict[str, Law] = {
    "threshold 1/2": Law(theory.threshold_dims, theory.threshold_success, _GAUSSIAN),
    "Bayes threshold": Law(theory.bayes_threshold_dims, theory.bayes_threshold_success, _GAUSSIAN),
    "top-k": Law(theory.topk_dims, theory.topk_success, _GAUSSIAN),
    "linear probes, top-k": Law(_noiseless(theory.probes_dims), _noiseless(theory.probes_success), f"{_GAUSSIAN}; a tight frame's"),
    "basis pursuit, signed": Law(
        _noiseless(lambda n, k, success: theory.lasso_dims(n, k, signed=True, success=success)),
        _noiseless(lambda d, n, k: theory.lasso_success(d, n, k, signed=True)),
        _L1,
    ),
    "basis pursuit": Law(_basis_pursuit_dims, _basis_pursuit_success, f"{_L1}; through noise, Bayati & Montanari 2012"),
    "basis pursuit, in [0, 1]": Law(_noiseless(theory.box_dims), _noiseless(theory.box_success), "Donoho & Tanner 2010"),
    "lasso": Law(_lasso_dims, _lasso_success, "Bayati & Montanari 2012", rises=True),
    "AMP": Law(_amp_dims, _amp_success, "Donoho, Maleki & Montanari 2009"),
    "Bayes-AMP": _BAYES,
    "VAMP": _BAYES,
}
LIMITS: dict[str, Law] = {
    "(one dim a bit)": Law(_bits, None, "log2 C(n, k)"),
    "(any decoder, without errors)": Law(
        lambda n, k, success, noise: theory.noisy_dims(n, k, noise) if noise else np.float64(np.nan),  # noqa: ARG005
        None,
        "Shannon 1948",
    ),
}
