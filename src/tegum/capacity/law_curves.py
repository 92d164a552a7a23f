"""Curves of laws around one point: the dims that decoders need as more and fewer features are on."""

from collections.abc import Iterable

import numpy as np

from tegum.capacity.laws import LAWS, LIMITS
from tegum.theory._numbers import Numbers

_FACTOR = 8.0  # features on: from an eighth to eight times as many
_POINTS = 25


def law_curves(n_features: int, n_active: int, names: Iterable[str], noise_std: float = 0.0) -> dict[str, tuple[Numbers, Numbers]]:
    """(features on, dims at which half of all codes are read) of each law or limit that speaks somewhere there, by name.

    Raises KeyError for a name that is neither of `LAWS` nor of `LIMITS`.
    """
    ends = max(1.0, n_active / _FACTOR), min(n_features / 2, _FACTOR * n_active)
    ks = np.unique(np.round(np.geomspace(*ends, _POINTS)))
    curves = {}
    for name in names:
        law = LAWS.get(name) or LIMITS[name]
        dims = np.array([float(law.dims(n_features, k, 0.5, noise_std)) for k in ks])
        speaks = np.isfinite(dims)
        if speaks.any():
            curves[name.strip("()")] = (ks[speaks], dims[speaks])
    return curves
