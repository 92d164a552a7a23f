"""CoSaMP: compressive sampling matching pursuit (Needell & Tropp 2009, algorithm 1).

Each step joins the 2k features that correlate most with the residual to the k at hand, fits x by all of them, and keeps the k largest values as they
are. Here it ends when that leaves no smaller residual, with the codes before.

Nonnegative codes: features that correlate negatively do not join, and negative values are not kept; the residual compared is that of what is. What
does not correlate at all never joins.
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
from tegum.decoders._support import Support, depending, fresh, part, solve, strongest
from tegum.dictionaries import Dictionary
from tegum.features import SparseCodes
from tegum.shapes import Float


@dataclass(frozen=True, kw_only=True)
class CoSaMP(WarmDecoder):
    """CoSaMP with `n_active` features, in at most `steps` steps.

    OK means settled: no further step lowers the residual, which may be far from 0 where the codes are not found. SINGULAR is for features kept
    that depend on each other, not for those that were only tried. Binary codes are found as nonnegative ones and read as 1.
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
        return max(super().held(dictionary), 6 * self.n_active * dictionary.n_dims)

    def init(self, dictionary: Dictionary) -> Scaled:
        """The directions at length 1."""
        return Scaled(dictionary, lengths(dictionary))

    def run(self, state: Scaled, dictionary: Dictionary, x: Float[Tensor, "batch dims"], start: SparseCodes | None = None) -> Decoded:
        """One pass of correlations a step."""
        k, signed = self.n_active, self.values is Values.SIGNED

        def codes(slots: Tensor) -> SparseCodes:
            found = indices[slots]
            return Decoded.of(found, as_kind(values[slots] / state.by[found], self.values), dictionary.n_features).z

        if start is None:
            indices, values = torch.full((len(x), k), -1, device=x.device), x.new_zeros(len(x), k)
        else:
            indices, values = strongest(start, x, state, k, signed=signed)
        chosen = Support(state, indices)
        residual, rounding = x - chosen.sum(values), fitted(x)
        size = residual.norm(dim=1)
        depends = torch.zeros_like(size, dtype=torch.bool)
        samples, ended = Samples(len(x), codes, x.device), size <= rounding
        for step in range(self.steps + 1):
            done = torch.where(depends, every(ended, Status.SINGULAR), every(ended, Status.OK))
            if (kept := samples.leave(done, step)) is not None:
                chosen = chosen[kept]
                x, indices, values = x[kept], indices[kept], values[kept]
                residual, size, rounding, depends = (old[kept] for old in (residual, size, rounding, depends))
                if not len(kept):
                    return samples.decoded()
            if step == self.steps or not len(x):
                break
            correlations, joining = state.largest(residual, 2 * k, signed=signed)
            joining = fresh(torch.where(correlations != 0 if signed else correlations > 0, joining, -1), chosen.indices)
            gram = chosen.gram_with(Support(state, joining))
            inner = torch.cat([chosen.inner(residual), torch.where(joining < 0, 0, correlations)], dim=1)
            change, alike = solve(gram, inner)
            fit = torch.nn.functional.pad(values, (0, joining.shape[1])) + change
            best = (fit.abs() if signed else fit).topk(k, dim=1).indices
            trial = Support(state, torch.cat([chosen.indices, joining], dim=1).gather(1, best), part(gram, best))
            fitting = fit.gather(1, best) if signed else fit.gather(1, best).clamp(min=0)
            trial.empty(fitting == 0)
            alike[alike.clone()] = depending(trial.gram[alike])
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
