"""The panel: the decoders that are compared, each told what it may know of codes with k features on at 1."""

from collections.abc import Callable

from tegum.decoders import Decoder
from tegum.decoders.approximate_message_passing import AMP
from tegum.decoders.basis_pursuit import BasisPursuit
from tegum.decoders.bayes_amp import BayesAMP
from tegum.decoders.compressive_sampling_pursuit import CoSaMP
from tegum.decoders.iterative_hard_thresholding import NIHT
from tegum.decoders.linear_probe import LinearProbe
from tegum.decoders.matched_filter import MatchedFilter
from tegum.decoders.matching_pursuit import MatchingPursuit
from tegum.decoders.orthogonal_matching_pursuit import OMP
from tegum.decoders.subspace_pursuit import SubspacePursuit
from tegum.decoders.top_k import TopK
from tegum.decoders.vector_amp import VAMP

PANEL: dict[str, Callable[[int], Decoder]] = {
    "threshold 1/2": lambda k: MatchedFilter(),  # noqa: ARG005
    "Bayes threshold": lambda k: MatchedFilter(threshold="bayes", n_active=k),
    "top-k": lambda k: TopK(n_active=k, values="binary"),
    "linear probes, top-k": lambda k: LinearProbe(n_active=k, values="binary"),
    "matching pursuit, 2 steps": lambda k: MatchingPursuit(n_active=k, steps=min(2, k), values="binary"),
    "matching pursuit, 4 steps": lambda k: MatchingPursuit(n_active=k, steps=min(4, k), values="binary"),
    "matching pursuit, k steps": lambda k: MatchingPursuit(n_active=k, steps=k, values="binary"),
    "OMP": lambda k: OMP(n_active=k, values="nonnegative"),
    "subspace pursuit": lambda k: SubspacePursuit(n_active=k, values="nonnegative"),
    "CoSaMP": lambda k: CoSaMP(n_active=k, values="nonnegative"),
    "NIHT": lambda k: NIHT(n_active=k, values="nonnegative"),
    "basis pursuit, signed": lambda k: BasisPursuit(values="signed"),  # noqa: ARG005
    "basis pursuit": lambda k: BasisPursuit(),  # noqa: ARG005
    "basis pursuit, in [0, 1]": lambda k: BasisPursuit(values="binary"),  # noqa: ARG005
    "AMP": lambda k: AMP(),  # noqa: ARG005
    "Bayes-AMP, k unknown": lambda k: BayesAMP(prior="binary"),  # noqa: ARG005
    "Bayes-AMP": lambda k: BayesAMP(prior="binary", n_active=k),
    "VAMP": lambda k: VAMP(prior="binary", n_active=k),
}
