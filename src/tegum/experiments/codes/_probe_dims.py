"""The fewest dims in which linear probes read within a given error, by a search that brackets and halves; and what else is measured of probes."""

import math
from collections.abc import Callable

import numpy as np
import torch

from tegum import theory
from tegum.capacity.needs import Rule, measure_need
from tegum.capacity.trials import Setting
from tegum.decoders.basis_pursuit import BasisPursuit
from tegum.dictionaries import Dictionary
from tegum.dictionaries.equiangular_frames import equiangular
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.dictionaries.uniform_sphere import spherical
from tegum.experiments import Row
from tegum.features.exactly_k import ExactlyK
from tegum.theory import LinearAccess, linear_access, optimal_linear_access, rescaled_probes

FINE = 64  # parts of the dims found, within which the search ends
GAP = 0.01  # relative, of the best probes' worst case over what no probe is below


def itself(D: Dictionary, k: int) -> LinearAccess:
    """Each direction as its own probe, at its best length."""
    return linear_access(D, rescaled_probes(D, D, n_active=k), n_active=k)


def best(D: Dictionary, k: int) -> LinearAccess:
    """The best probes, each to `GAP` if it could be the worst."""
    return linear_access(D, n_active=k, tolerance=GAP, every=False)


def fewest(access: Callable[[int], LinearAccess], eps: float, guess: float) -> LinearAccess:
    """The access with the fewest dims d of those tried that reads within eps: d is right to 1 in `FINE` if the error falls with d."""
    found: dict[int, LinearAccess] = {}

    def reads(d: int) -> bool:
        found[d] = access(d)
        return found[d].error < eps

    d = max(1, round(guess))
    fails, works = (0, d) if reads(d) else (d, 0)
    while not works:
        d += max(1, d // 12)
        fails, works = (fails, d) if reads(d) else (d, 0)
    while not fails and works > 1:
        d = works - max(1, works // 12)
        fails, works = (fails, d) if reads(d) else (d, works)
    while works - fails > max(1, works // FINE):
        d = (fails + works) // 2
        fails, works = (fails, d) if reads(d) else (d, works)
    return found[works]


def fewest_dims(kind: str, n: int, k: int, eps: float, seed: int, draws: int, steps: int) -> Row:
    """A search for each of `draws` sets of directions; for directions that are made, one. It begins where others ended."""
    typical = float(theory.best_probe_dims(n, k, eps))
    if kind == "made directions":
        guess = math.sqrt(float(theory.access_dims_bound(n, k, eps)) * typical)
        found = [fewest(lambda d: optimal_linear_access(n, d, k, seed, starts=1, steps=steps), eps, guess)]
    else:
        read, guess = (
            (itself, 0.8 * float(theory.random_access_dims(n, k, eps))) if kind == "directions as probes" else (best, 1.2 * typical)
        )
        found = [fewest(lambda d, s=s: read(spherical(n, d, s), k), eps, guess) for s in _seeds(seed, draws)]
    return Row(
        dims=np.array([access.dictionary.n_dims for access in found]),
        error=np.array([access.error for access in found]),
        gap=np.array([access.gap / access.error for access in found]),
        witness=np.array([witnessed(access) for access in found]),
    )


def l1_dims(n: int, k: int, seed: int, trials: int) -> Row:
    """The dims from which l1, which looks more than once, reads half of the codes, with the 95% interval."""
    setting, guess = Setting(n_features=n, n_active=k, seed=seed), float(theory.lasso_dims(n, k, signed=True))
    need = measure_need(setting, BasisPursuit(values="signed"), guess, Rule(precision=0.02, budget=trials))
    fit = need.fit
    return Row(dims=fit.d50 if fit else float("nan"), interval=np.array(fit.interval if fit else (np.nan, np.nan)))


def errors(n: int, d: int, k: int, seed: int, draws: int, codes: int, steps: int) -> Row:
    """How far probes are off, at worst and on average over codes with +-1 at random; and each feature's best probe, between its bounds."""
    names = "itself", "best", "made", "itself_typical", "best_typical", "least", "most"
    found: dict[str, list[float]] = {name: [] for name in names}
    z = ExactlyK(n_features=n, n_active=k, values="signed").sample(codes, seed=seed)
    for s in _seeds(seed, draws):
        D = spherical(n, d, s)
        for name, access in (("itself", itself(D, k)), ("best", linear_access(D, n_active=k, tolerance=GAP))):
            found[name].append(access.error)
            found[f"{name}_typical"].append(float((access.probes.correlate(D.encode(z)) - z.dense()).abs().amax(1).mean()))
            if name == "best":
                found["least"].append(float(access.lower_bounds.mean()))
                found["most"].append(float(access.errors.mean()))
    found["made"].append(optimal_linear_access(n, d, k, seed, starts=1, steps=steps).error)
    return Row(**{name: np.array(values) for name, values in found.items()})


def frame(n: int, d: int, k: int) -> Row:
    """An equiangular tight frame that reads itself."""
    access = itself(equiangular(n, d, dtype=torch.float64), k)
    return Row(error=access.error, bound=float(theory.access_error_bound(n, d, k)))


def programs(n: int, d: int, k: int, seed: int) -> Row:
    """How far the two ways to the best probes differ, and how far linear programs are from their own bounds."""
    A = gaussian(n, d, seed, dtype=torch.float64)
    exact, found = linear_access(A, n_active=k, method="simplex"), linear_access(A, n_active=k, tolerance=GAP)
    return Row(
        above=float((found.errors - exact.lower_bounds).max()),
        below=float((exact.errors - found.errors).max()),
        bounds=float((found.lower_bounds - exact.errors).max()),
        gap=float(((found.errors - found.lower_bounds) / found.errors).max()),
    )


def witnessed(access: LinearAccess) -> float:
    """By how much, relative, the code that is to have the error has another one."""
    z = access.witness
    off = (access.probes.correlate(access.dictionary.encode(z)) - z.dense()).abs().max()
    return abs(float(off) / access.error - 1)


def _seeds(seed: int, draws: int) -> range:
    return range(seed, seed + draws)
