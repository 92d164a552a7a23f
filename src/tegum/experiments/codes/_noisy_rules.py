"""Rules that read codes through noise: the decoder of each, and how many dims theory says that it needs.

A rule is told what helps it: n, k and the noise. The lasso's penalty is the best one by state evolution. Message passing stops after a number of
steps that leaves nothing to read: it converges geometrically, and what it has not read by then it does not read.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tegum import theory
from tegum.capacity.laws import LAWS
from tegum.capacity.panel import PANEL
from tegum.decoders import Decoder
from tegum.decoders.approximate_message_passing import AMP
from tegum.decoders.bayes_amp import BayesAMP
from tegum.theory.penalised_reading import penalised_dims

_STEPS, _STILL = 60, 1e-3
_QUIET, _LOUD, _NEAR = 1e-3, 1.0, 1e-7  # of noise: from where to where a limit is looked for, and how closely


@dataclass(frozen=True)
class NoisyRule:
    """`make(n, k, noise_std)` is the decoder; `law(n, k, noise_std, success)` the dims by theory, where there is one."""

    make: Callable[[int, int, float], Decoder]
    law: Callable[[int, int, float, float], float] | None

    def dims(self, n: int, k: int, noise_std: float, success: float = 0.5) -> float:
        """The dims by theory: inf where none are enough, nan where theory does not say."""
        return np.nan if self.law is None else float(self.law(n, k, noise_std, success))


def noise_borne(name: str, n: int, k: int, n_dims: float = np.inf) -> float:
    """The noise up to which theory has half of the codes read from `n_dims`, or from any number of dims; nan where there is none."""
    most, low, high = min(n_dims, 1e300), _QUIET, _LOUD
    if not RULES[name].dims(n, k, low) <= most:
        return np.nan
    while high - low > _NEAR:
        middle = (low + high) / 2
        low, high = (middle, high) if RULES[name].dims(n, k, middle) <= most else (low, middle)
    return low


def _lasso_law(n: int, k: int, noise: float, success: float) -> float:
    """With noise: the best penalty without it is 0, and that is basis pursuit."""
    return float(penalised_dims(n, k, noise, success)) if noise else np.nan


def _basis_pursuit_law(n: int, k: int, noise: float, success: float) -> float:
    """Of codes that fit x: from n / 2 dims on none do."""
    if noise == 0:
        return float(theory.lasso_dims(n, k, success=success))
    dims = float(penalised_dims(n, k, noise, success, 0.0))
    return dims if dims < n / 2 else np.inf


def _bayes_amp(n: int, k: int, noise: float) -> Decoder:  # noqa: ARG001
    return BayesAMP(prior="binary", n_active=k, noise_std=noise, tolerance=_STILL, max_steps=_STEPS)


def _law_of(name: str) -> Callable[[int, int, float, float], float]:
    return lambda n, k, noise, success: float(LAWS[name].dims(n, k, success, noise))


def _of_panel(name: str, law: Callable[[int, int, float, float], float] | None) -> NoisyRule:
    return NoisyRule(PANEL[name], law)


RULES: dict[str, NoisyRule] = {
    **{name: _of_panel(name, _law_of(name)) for name in ("threshold 1/2", "Bayes threshold", "top-k")},
    **{name: _of_panel(name, None) for name in ("OMP", "subspace pursuit", "CoSaMP")},
    "basis pursuit": _of_panel("basis pursuit", _basis_pursuit_law),
    "AMP": NoisyRule(lambda n, k, noise: AMP(tolerance=_STILL, max_steps=_STEPS), _law_of("AMP")),  # noqa: ARG005
    "lasso": _of_panel("lasso", _lasso_law),
    "Bayes-AMP": NoisyRule(_bayes_amp, _law_of("Bayes-AMP")),
}
