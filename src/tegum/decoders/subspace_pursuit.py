"""Subspace pursuit: k features at all times, exchanged k at a time while the fit improves (Dai & Milenkovic 2009, algorithm 1).

Each step joins the k features that correlate most with the residual to the k at hand, fits x by all 2k, keeps the k with the largest values, and
fits again. It ends when that leaves no smaller residual, with the features before.

Nonnegative codes: features that correlate negatively do not join, and those of the largest values stay. Of these, features that are negative in the
fit leave, and the rest is fitted again: the residual compared is that of the codes returned. What does not correlate at all never joins.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tegum.checks import check_count
from tegum.decoders._base import Decoded, Status, Values, WarmDecoder, as_kind
from tegum.decoders._fitted import fitted
from tegum.decoders._samples import Samples, every
from tegum.decoders._scaled import Scaled, lengths
from tegum.decoders._support import Support, fit, fresh, part, solve, strongest
from tegum.dictionaries import Dictionary
from tegum.features import SparseCodes
from tegum.shapes import Float


@dataclass(frozen=True, kw_only=True)
class SubspacePursuit(WarmDecoder):
    """Subspace pursuit with `n_active` features, in at most `steps` steps.

    OK means settled: no further step lowers the residual, which may be far from 0 where the codes are not found. Binary codes are found as
    nonnegative ones and read as 1.
    """

    kinds: ClassVar[tuple[Values, ...]] = (Values.NONNEGATIVE, Values.SIGNED, Values.BINARY)
    arrays: ClassVar[int] = 0
    n_active: int
    steps: int = 100

    def _check(self) -> None:
        check_count("n_active", self.n_active)
        check_count("steps", self.steps)

    def held(self, dictionary: Dictionary) -> int:
        """Some sets of directions for each sample."""
        return max(super().held(dictionary), 4 * self.n_active * dictionary.n_dims)

    def init(self, dictionary: Dictionary) -> Scaled:
        """The directions at length 1."""
        return Scaled(dictionary, lengths(dictionary))

    def run(self, state: Scaled, dictionary: Dictionary, x: Float[Tensor, "batch dims"], start: SparseCodes | None = None) -> Decoded:
        """One pass of correlations a step."""
        k, signed = self.n_active, self.values is Values.SIGNED

        def correlating(residual: Tensor) -> tuple[Tensor, Tensor]:
            values, indices = state.largest(residual, k, signed=signed)
            joins = values != 0 if signed else values > 0
            return torch.where(joins, values, 0), torch.where(joins, indices, -1)

        def codes(slots: Tensor) -> SparseCodes:
            found = indices[slots]
            return Decoded.of(found, as_kind(values[slots] / state.by[found], self.values), dictionary.n_features).z

        indices = correlating(x)[1] if start is None else strongest(start, x, state, k, signed=signed)[0]
        chosen = Support(state, indices)
        values, depends = fit(chosen, chosen.inner(x), signed=signed)
        indices = chosen.indices
        residual, rounding = x - chosen.sum(values), fitted(x)
        size = residual.norm(dim=1)
        samples, ended = Samples(len(x), codes, x.device), size <= rounding
        for step in range(start is None, self.steps + 1):
            done = torch.where(depends, every(ended, Status.SINGULAR), every(ended, Status.OK))
            if (kept := samples.leave(done, step)) is not None:
                chosen = chosen[kept]
                x, indices, values = x[kept], indices[kept], values[kept]
                residual, size, rounding, depends = (old[kept] for old in (residual, size, rounding, depends))
                if not len(kept):
                    return samples.decoded()
            if step == self.steps or not len(x):
                break
            correlations, joining = correlating(residual)
            joining = fresh(joining, chosen.indices)
            gram = chosen.gram_with(Support(state, joining))
            inner = torch.cat([chosen.inner(residual), torch.where(joining < 0, 0, correlations)], dim=1)
            joint = torch.nn.functional.pad(values, (0, k)) + solve(gram, inner)[0]
            best = (joint.abs() if signed else joint).topk(k, dim=1).indices
            trial = Support(state, torch.cat([chosen.indices, joining], dim=1).gather(1, best), part(gram, best))
            inner_of_x = inner + torch.bmm(gram[:, :, :k], values[:, :, None])[:, :, 0]
            fitting, alike = fit(trial, inner_of_x.gather(1, best), signed=signed)
            residual = x - trial.sum(fitting)
            smaller = residual.norm(dim=1)
            better = smaller < size - rounding
            depends = torch.where(better, alike, depends)
            ended = ~better | (smaller <= rounding)
            indices = torch.where(better[:, None], trial.indices, chosen.indices)
            values = torch.where(better[:, None], fitting, values)
            chosen, size = trial, smaller
        samples.ended(self.steps)
        return samples.decoded()
