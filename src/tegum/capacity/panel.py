"""The panel: the decoders that are compared, each told what it may know of codes with k features on at 1, seen through noise."""

from collections.abc import Callable

from tegum.capacity.laws import lasso_penalty
from tegum.decoders import Decoder
from tegum.decoders.approximate_message_passing import AMP
from tegum.decoders.basis_pursuit import BasisPursuit
from tegum.decoders.bayes_amp import BayesAMP
from tegum.decoders.compressive_sampling_pursuit import CoSaMP
from tegum.decoders.fista import FISTA
from tegum.decoders.homotopy import Homotopy
from tegum.decoders.iterative_hard_thresholding import NIHT
from tegum.decoders.linear_probe import LinearProbe
from tegum.decoders.matched_filter import MatchedFilter
from tegum.decoders.matching_pursuit import MatchingPursuit
from tegum.decoders.orthogonal_matching_pursuit import OMP
from tegum.decoders.subspace_pursuit import SubspacePursuit
from tegum.decoders.top_k import TopK
from tegum.decoders.vector_amp import VAMP

_SMALL, _CLOSED = 0.02, 1e-2  # of penalties; of the gap, as a share of the objective: below it no reading changes


def _lasso(n: int, k: int, noise: float) -> Decoder:
    """Along the exact path where that is short: without noise, and to small penalties; else gradient steps."""
    penalty = lasso_penalty(n, k, noise)
    return Homotopy(penalty=penalty) if not noise or penalty < _SMALL else FISTA(penalty=penalty, tolerance=_CLOSED)


# from (n_features, n_active, noise_std) to a decoder
PANEL: dict[str, Callable[[int, int, float], Decoder]] = {
    "threshold 1/2": lambda n, k, noise: MatchedFilter(),  # noqa: ARG005
    "Bayes threshold": lambda n, k, noise: MatchedFilter(threshold="bayes", n_active=k),  # noqa: ARG005
    "top-k": lambda n, k, noise: TopK(n_active=k, values="binary"),  # noqa: ARG005
    "linear probes, top-k": lambda n, k, noise: LinearProbe(n_active=k, values="binary"),  # noqa: ARG005
    "matching pursuit, 2 steps": lambda n, k, noise: MatchingPursuit(n_active=k, steps=min(2, k), values="binary"),  # noqa: ARG005
    "matching pursuit, 4 steps": lambda n, k, noise: MatchingPursuit(n_active=k, steps=min(4, k), values="binary"),  # noqa: ARG005
    "matching pursuit, k steps": lambda n, k, noise: MatchingPursuit(n_active=k, steps=k, values="binary"),  # noqa: ARG005
    "OMP": lambda n, k, noise: OMP(n_active=k, values="nonnegative"),  # noqa: ARG005
    "subspace pursuit": lambda n, k, noise: SubspacePursuit(n_active=k, values="nonnegative"),  # noqa: ARG005
    "CoSaMP": lambda n, k, noise: CoSaMP(n_active=k, values="nonnegative"),  # noqa: ARG005
    "NIHT": lambda n, k, noise: NIHT(n_active=k, values="nonnegative"),  # noqa: ARG005
    "basis pursuit, signed": lambda n, k, noise: BasisPursuit(values="signed"),  # noqa: ARG005
    "basis pursuit": lambda n, k, noise: BasisPursuit(),  # noqa: ARG005
    "basis pursuit, in [0, 1]": lambda n, k, noise: BasisPursuit(values="binary"),  # noqa: ARG005
    "lasso": _lasso,
    "AMP": lambda n, k, noise: AMP(),  # noqa: ARG005
    "Bayes-AMP, k unknown": lambda n, k, noise: BayesAMP(prior="binary", noise_std=noise),  # noqa: ARG005
    "Bayes-AMP": lambda n, k, noise: BayesAMP(prior="binary", n_active=k, noise_std=noise),  # noqa: ARG005
    "VAMP": lambda n, k, noise: VAMP(prior="binary", n_active=k, noise_std=noise),  # noqa: ARG005
}
