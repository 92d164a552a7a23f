"""Polish: the same directions after some passes of sparse coding, and an encoder for them; both learnt on training rows alone.

Directions that an encoder was trained with are fitted to what that encoder makes of x. Fitted to codes that OMP finds instead they may serve OMP
better, and the encoder worse; so a k-sparse autoencoder's encoder is trained anew for them, from where it was, before it reads them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from tegum.activations import Activations
from tegum.auditing._subject import Subject, subject_of
from tegum.auditing.readers import encoded
from tegum.decoders import OMP, Decoded
from tegum.features import SparseCodes
from tegum.learning import LearntDictionary, SparseAutoencoder, fit, polish
from tegum.learning.autoencoders._k_sparse import KSparse
from tegum.learning.autoencoders.matching_pursuit_sae import MatchingPursuitSAE

_BATCH = 1024
_PASSES_OF_FIT = 20


@dataclass(frozen=True)
class Plan:
    """How much is spent: passes over the training rows; `samples` that an encoder is trained on anew; a folder to resume from."""

    passes: int = 3
    samples: int = 200_000
    out: Any = None


@dataclass(frozen=True)
class Polished:
    """The polished subject; `encoder` is what an encoder reads, which may have a centre of its own; `how` says whose encoder that is."""

    subject: Subject
    encoder: Subject
    how: str
    replaced: int


def polished_by(subject: Subject, train: Activations, n_active: float, plan: Plan, seed: int) -> Polished:
    """Polish by OMP at so many features a row, then an encoder."""
    count = max(1, min(round(n_active), int(subject.there.sum()), subject.n_dims))
    decoder = OMP(n_active=count, values=subject.values)
    start = LearntDictionary(subject.dictionary, subject.centre, decoder)
    batch = min(_BATCH, len(train))
    learnt = polish(start, train, decoder, passes=plan.passes, batch_size=batch, seed=seed, held_out=0.0, out=plan.out, progress=False)
    made = replace(subject_of(learnt, name=f"{subject.name}, polished"), encode=None, values=subject.values)
    replaced = int(learnt.notes["replaced"])
    if subject.encode is None:
        return Polished(made, made, "", replaced)
    retrained = _retrained(subject, learnt, train, plan, seed)
    if retrained is not None:
        return Polished(made, subject_of(retrained), "trained anew for the polished directions", replaced)
    return Polished(made, replace(made, encode=_longer(subject)), "as it was, not trained for the polished directions", replaced)


def _retrained(subject: Subject, learnt: LearntDictionary, train: Activations, plan: Plan, seed: int) -> SparseAutoencoder | None:
    """With the polished directions held as they are; None where that is not known to keep the number of codes, or none is to be trained."""
    sae = subject.source
    if not isinstance(sae, SparseAutoencoder):
        return None
    D, architecture = learnt.dictionary.dense(), sae.architecture
    if isinstance(architecture, MatchingPursuitSAE):
        return SparseAutoencoder(architecture, {"decoder": D, "b_dec": learnt.centre})
    if not isinstance(architecture, KSparse) or not plan.samples:
        return None
    try:
        weights = architecture.with_unit_directions({name: value.detach().cpu().float() for name, value in sae.weights.items()})
    except ValueError:  # lengths that differ decide which codes are largest
        return None
    start = SparseAutoencoder(architecture, weights | {"decoder": D, "b_dec": learnt.centre})
    samples = max(len(train), min(plan.samples, _PASSES_OF_FIT * len(train)))
    return fit(
        architecture, train, samples=samples, batch_size=min(_BATCH, len(train)), seed=seed, held_out=0.0, start=start,
        frozen="decoder", progress=False,
    )  # fmt: skip


def _longer(subject: Subject) -> Callable[[Tensor], SparseCodes]:
    """The old encoder's codes, longer by what the old directions were, for the polished ones have length 1."""
    lengths = subject.dictionary.squared_norms().sqrt()

    def encode(x: Tensor) -> SparseCodes:
        z = encoded(subject, x)
        places = z.indices.clamp(min=0)
        return Decoded.of(places, z.values * lengths[places], z.n_features).z

    return encode
