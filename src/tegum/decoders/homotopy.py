"""Homotopy: the lasso's solution path, followed exactly from penalty to penalty at which a feature enters or leaves.

min 1/2 |x - D z|^2 + penalty |z|_1 (scikit-learn's alpha is penalty / n_dims). The minimiser is linear in the penalty between breakpoints. On
the active set every correlation with the residual has the size of the penalty, so down from the largest correlation one direction a segment
is known, and the next breakpoint is the first at which another correlation reaches the penalty or a value reaches 0 (Osborne, Presnell &
Turlach 2000; Efron et al. 2004, sec. 3.1, 'LARS with the lasso modification'). In a box a value may reach 1 too; it is then held there until
its correlation falls to the penalty again.

A step is one product of all directions with a vector a sample, that of the segment; the residual's correlations follow from it. All is done in
float64: far down the path correlations differ by less than float32 can tell, and one feature taken for another leads astray.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tegum.checks import check_count
from tegum.decoders._active_sets import ActiveSets
from tegum.decoders._base import Decoded, Decoder, Status, Values
from tegum.decoders._duality import check_penalty, check_samples
from tegum.decoders._samples import RUNNING, Samples
from tegum.dictionaries import Dictionary
from tegum.dictionaries._largest import largest_one
from tegum.features import SparseCodes
from tegum.shapes import Float, Int

_RENEW = 24  # steps after which inverses and correlations are computed afresh
_NEAR = 1e-6  # a residual of this share of x may be all rounding
_TIED = 1e-9  # one that falls as fast as the penalty but for so much is tied to the active ones, if its direction depends on theirs
_LEVEL = 1e-12  # a correlation that falls as fast as the penalty but for so much never reaches it: it depends on the active ones


@dataclass(frozen=True, eq=False)
class Path:
    """Breakpoints of a batch: `penalties` (breakpoints, batch), falling, and the codes at each; what has ended stays at its end.

    At the first nothing is active, nor above it.
    """

    penalties: Float[Tensor, "breakpoints batch"]
    codes: tuple[SparseCodes, ...]

    def at(self, penalty: float) -> SparseCodes:
        """The minimiser at any penalty on the path: between breakpoints it is linear. ValueError for a penalty below the path's end."""
        if penalty < float(self.penalties[-1].max()):
            raise ValueError(f"penalty is {penalty}; the path ends at {float(self.penalties[-1].max()):.4g}")
        n_samples = self.penalties.shape[1]
        after = (self.penalties > penalty).sum(0).clamp(max=len(self.codes) - 1)
        before = (after - 1).clamp(min=0)
        every = torch.arange(n_samples, device=self.penalties.device)
        high, low = self.penalties[before, every], self.penalties[after, every]
        share = torch.where(high > low, ((high - penalty) / (high - low)).clamp(0, 1), 1.0)[:, None]
        z = torch.stack([codes.dense() for codes in self.codes])
        return SparseCodes.from_dense(z[before, every] * (1 - share) + z[after, every] * share)


@dataclass(frozen=True, kw_only=True)
class Homotopy(Decoder):
    """The lasso at `penalty`, exactly; at penalty 0 its limit: of the codes that fit x best, those of the least sum of sizes.

    Codes are solved in float64 and rounded to the dtype of x: float32's rounding moves a residual's correlations by 1e-7 |x|, beside which the
    duality gap of a small penalty is large. SINGULAR where ties between features, as with entries in {-1, 0, 1}, led astray: one that depends on
    the active ones would have to join them.
    """

    kinds: ClassVar[tuple[Values, ...]] = (Values.NONNEGATIVE, Values.SIGNED, Values.BINARY)
    penalty: float = 0.0
    max_steps: int = 10_000

    def _check(self) -> None:
        check_penalty(self.penalty)
        check_count("max_steps", self.max_steps)

    def init(self, dictionary: Dictionary) -> Dictionary:
        """The directions in float64."""
        return dictionary.to(dtype=torch.float64)

    def run(self, state: Dictionary, dictionary: Dictionary, x: Float[Tensor, "batch dims"]) -> Decoded:  # noqa: ARG002
        """Steps until every sample is at the penalty."""
        return follow(state, x, self)[0]

    def path(self, dictionary: Dictionary, x: Float[Tensor, "batch dims"]) -> Path:
        """The breakpoints from the largest correlation down to `penalty`. ValueError for x of another width, or that is not finite."""
        check_samples(dictionary, x)
        recorded: list[tuple[Tensor, Tensor, SparseCodes]] = []
        follow(self.init(dictionary), x, self, recorded)
        none = SparseCodes.from_dense(x.new_zeros(len(x), dictionary.n_features))
        penalties, codes = [recorded[0][1]], [none]
        for rows, penalty, found in recorded[1:]:
            penalties.append(penalties[-1].index_copy(0, rows, penalty))
            both = SparseCodes.concatenate([codes[-1], found])
            taken = torch.arange(len(x), device=x.device).index_copy(0, rows, len(x) + torch.arange(len(rows), device=x.device))
            codes.append(both[taken])
        return Path(torch.stack(penalties), tuple(codes))


def rounding(dtype: torch.dtype) -> float:
    """The share of x, or of the largest value, below which nothing is told from the rounding of x."""
    return max(16 * torch.finfo(dtype).eps, 1e-12)


def follow(
    dictionary: Dictionary, x: Float[Tensor, "batch dims"], told: Homotopy, recorded: list[tuple[Tensor, Tensor, SparseCodes]] | None = None
) -> tuple[Decoded, Float[Tensor, "batch dims"]]:
    """Follow the paths of a batch in a dictionary of float64: what was found, and residual / penalty there, or its limit at penalty 0.

    (samples, penalties, codes) of each breakpoint are added to `recorded`.
    """
    path = _Paths(dictionary, x, told)
    duals = torch.zeros_like(path.x)

    def codes(slots: Tensor) -> SparseCodes:
        duals[samples.row[slots]] = path.dual[slots]
        return path.codes(slots)

    samples = Samples(len(x), codes, x.device)
    step = 0
    while True:
        if recorded is not None:
            here = samples.here.nonzero()[:, 0]
            recorded.append((samples.row[here], path.penalty[here].to(x.dtype), path.codes(here)))
        kept = samples.leave(path.status, step)
        if kept is not None:
            path.keep(kept)
        if not bool(samples.here.any()) or step == told.max_steps:
            break
        step += 1
        if step % _RENEW == 0:
            path.renew()
        path.advance()
    samples.ended(step)
    return samples.decoded(), duals


class _Paths:
    """Where each sample stands on its path: penalty, values z of the slots, residual, correlations of the residual, status."""

    def __init__(self, dictionary: Dictionary, x: Tensor, told: Homotopy) -> None:
        self.dictionary, self.dtype, self.signed = dictionary, x.dtype, told.values is Values.SIGNED
        self.upper = 1.0 if told.values is Values.BINARY else math.inf
        self.end = told.penalty
        self.x = self.residual = x.double()
        self.dual = self.x / (told.penalty or 1.0)
        self.correlation = dictionary.correlate(self.x)
        size, feature = largest_one(self.correlation.abs() if self.signed else self.correlation)
        sign = torch.where(self.correlation.gather(1, feature[:, None])[:, 0] < 0, -1.0, 1.0).double()
        self.penalty = size.clamp(min=told.penalty)
        self.rounding = rounding(x.dtype)
        self.least = (1e-15 * size).clamp(min=1e-300)[:, None]
        begins = size > told.penalty
        self.status = torch.where(begins, RUNNING, int(Status.OK))
        self.active = ActiveSets(dictionary, len(x))
        self.active.change(self.active.vacant(), feature, sign * begins, torch.zeros_like(begins))
        self.z = torch.zeros_like(self.active.sign)
        self.barred = torch.full((len(x), 0), -1, device=x.device)  # features that may not enter before the active set has changed

    def keep(self, kept: Int[Tensor, " kept"]) -> None:
        """Go on with these samples alone."""
        self.active = self.active[kept]
        for name in "x", "dual", "residual", "correlation", "penalty", "least", "z", "status", "barred":
            setattr(self, name, getattr(self, name)[kept])

    def codes(self, samples: Int[Tensor, " some"]) -> SparseCodes:
        """Their codes: what is free is solved for once more, so that no rounding of the way is left in it; what is rounding is 0."""
        active = self.active[samples]
        z = _solved(active, self.x[samples], self.z[samples], self.penalty[samples])
        if not self.signed:
            z = z.clamp(0, self.upper)
        z = torch.where(z.abs() > self.rounding * z.abs().amax(1, keepdim=True), z, 0.0)
        return Decoded.of(active.index, z.to(self.dtype), self.dictionary.n_features).z

    def renew(self) -> None:
        """Everything afresh from the active sets, against the rounding of many steps."""
        self.active.renew()
        self.z = _solved(self.active, self.x, self.z, self.penalty)
        self.residual = self.x - self.active.combined(self.z)
        self.correlation = self.dictionary.correlate(self.residual)

    def advance(self) -> None:
        """To the next breakpoint."""
        active = self.active
        slope = active.solve(active.sign)
        towards = active.combined(slope)
        change = self.dictionary.correlate(towards)
        next_ = _Next(*self._exit(slope), *self._release(towards), *self._entry(change), self.penalty - self.end)
        t, event = next_.first()
        running = self.status == RUNNING
        if self.end == 0:
            done = self._done(slope, towards)
            t, event = torch.where(done, self.penalty, t), torch.where(done, _END, event)
        t, event = torch.where(running, t, 0.0), torch.where(running, event, _NONE)
        self.z = self.z + t[:, None] * slope
        self.residual = self.residual - t[:, None] * towards
        self.correlation.addcmul_(change, -t[:, None])
        self.penalty = torch.where(event == _END, self.end, self.penalty - t)
        self.status = torch.where(event == _END, int(Status.OK), self.status)
        # where penalty 0 leaves a residual, that is what bounds
        misses = self.residual.norm(dim=1) > max(_NEAR, self.rounding) * self.x.norm(dim=1)
        left = self.residual if self.end else torch.where(misses[:, None], self.residual, towards)
        self.dual = torch.where((event == _END)[:, None], left / (self.end or 1.0), self.dual)
        tied = (change.gather(1, next_.feature[:, None])[:, 0] - next_.sign).abs() <= _TIED
        self._apply(event, next_, slope, tied & (event == _ENTRY))

    def _exit(self, slope: Tensor) -> tuple[Tensor, Tensor]:
        """How far until a free value comes to 0, or to the upper bound, and which."""
        free, sign = self.active.free, self.active.sign
        falls, rises = free & (slope * sign < 0), free & (slope > 0)
        t = torch.where(falls, (self.z * sign).clamp(min=0) / (slope * sign).abs(), math.inf)
        if self.upper < math.inf:
            t = torch.where(rises, (self.upper - self.z).clamp(min=0) / slope, t)
        return t.min(dim=1)

    def _release(self, towards: Tensor) -> tuple[Tensor, Tensor]:
        """How far until the correlation of a held value falls to the penalty, and which."""
        if self.upper == math.inf:
            return torch.full_like(self.penalty, math.inf), torch.zeros_like(self.status)
        held = self._held()
        above = (self.active.against(self.residual) - self.penalty[:, None]).clamp(min=0)
        change = self.active.against(towards)
        return torch.where(held & (change > 1), above / (change - 1), math.inf).min(dim=1)

    def _held(self) -> Tensor:
        return (self.active.index >= 0) & ~self.active.free

    def _entry(self, change: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """How far until another correlation reaches the penalty, whose, and its sign. The greatest rate arrives first; rounding may not delay it."""
        penalty = self.penalty[:, None]
        rate = torch.rsub(change, 1 - _LEVEL).div_(torch.sub(penalty, self.correlation).clamp_(min=self.least))
        other = rate
        if self.signed:
            other = (change + (1 - _LEVEL)).div_((self.correlation + penalty).clamp_(min=self.least))
            rate = torch.maximum(rate, other)
        sample, slot = (self.active.index >= 0).nonzero(as_tuple=True)
        rate[sample, self.active.index[sample, slot]] = -math.inf
        sample, slot = (self.barred >= 0).nonzero(as_tuple=True)
        rate[sample, self.barred[sample, slot]] = -math.inf
        fastest, feature = largest_one(rate)
        below = self.signed & (other.gather(1, feature[:, None])[:, 0] == fastest)
        return torch.where(fastest > 0, 1 / fastest, math.inf), feature, torch.where(below, -1.0, 1.0).double()

    def _done(self, slope: Tensor, towards: Tensor) -> Tensor:
        """Where the segment down to penalty 0 fits x but for its rounding, and is optimal there: later breakpoints would fit the rounding.

        What may be such an end is solved for without the rounding of the way, and its exact dual goes into `towards`.
        """
        near = (self.residual - self.penalty[:, None] * towards).norm(dim=1) <= max(_NEAR, self.rounding) * self.x.norm(dim=1)
        done = near & (self.status == RUNNING)
        rows = done.nonzero()[:, 0]
        if not len(rows):
            return done
        active, x = self.active[rows], self.x[rows]
        z = _solved(active, x, self.z[rows] + self.penalty[rows, None] * slope[rows], torch.zeros_like(self.penalty[rows]))
        fits = (x - active.combined(z)).norm(dim=1) <= self.rounding * x.norm(dim=1)
        slack = self.rounding * z.abs().amax(1, keepdim=True)
        within = (((z * active.sign >= -slack) & (z <= self.upper + slack)) | ~active.free).all(dim=1)
        weights = slope[rows]
        for _ in range(2):
            weights = weights + active.solve(active.sign - active.against(active.combined(weights)))
        y = active.combined(weights)
        outside = self.dictionary.correlate(y)
        sample, slot = (active.index >= 0).nonzero(as_tuple=True)
        outside[sample, active.index[sample, slot]] = 0
        peak, _ = largest_one(outside.abs() if self.signed else outside)
        lowest = torch.where(self._held()[rows], active.against(y), math.inf).amin(dim=1)
        slack = _LEVEL * y.norm(dim=1).clamp(min=1)
        done[rows] = fits & within & (peak <= 1 + slack) & (lowest >= 1 - slack)
        towards[rows] = torch.where(done[rows, None], y, towards[rows])
        return done

    def _apply(self, event: Tensor, next_: "_Next", slope: Tensor, tied: Tensor) -> None:
        active = self.active
        slot = torch.where(event == _EXIT, next_.leaver, torch.where(event == _RELEASE, next_.held, active.vacant()))
        more = active.index.shape[1] - self.z.shape[1]
        self.z, slope = torch.nn.functional.pad(self.z, (0, more)), torch.nn.functional.pad(slope, (0, more))
        at = slot[:, None]
        feature = torch.where(event == _RELEASE, active.index.gather(1, at)[:, 0], next_.feature)
        sign = torch.where(event == _RELEASE, 1.0, next_.sign) * (event >= _RELEASE)
        to_upper = (slope.gather(1, at)[:, 0] > 0) & (self.upper < math.inf)
        independent = active.change(slot, feature, sign, event == _EXIT)
        dropped = ((event == _EXIT) & ~to_upper).nonzero()[:, 0]
        active.clear(dropped, slot[dropped])
        self.z[dropped, slot[dropped]] = 0
        bounded = ((event == _EXIT) & to_upper).nonzero()[:, 0]
        self.z[bounded, slot[bounded]] = self.upper
        self.status = torch.where(independent | tied, self.status, int(Status.SINGULAR))
        self._bar(~independent & tied, independent & (event > _END), feature)

    def _bar(self, depends: Tensor, changed: Tensor, feature: Tensor) -> None:
        """Let a feature wait that is tied but depends on the active ones: as long as these stay, its correlation falls with the penalty."""
        if bool(depends.any()) or self.barred.shape[1]:
            barred = torch.where(changed[:, None], -1, self.barred)
            self.barred = torch.cat([barred, torch.where(depends, feature, -1)[:, None]], dim=1)
            self.barred = self.barred[:, (self.barred >= 0).any(dim=0)]


_NONE, _END, _EXIT, _RELEASE, _ENTRY = -1, 0, 1, 2, 3


@dataclass
class _Next:
    """What may happen next in each sample: how far away it is, and to which slot or feature."""

    exits: Tensor
    leaver: Tensor
    frees: Tensor
    held: Tensor
    enters: Tensor
    feature: Tensor
    sign: Tensor
    ends: Tensor

    def first(self) -> tuple[Tensor, Tensor]:
        """The nearest event; the end, where it is as near as rounding can tell."""
        t, event = torch.stack([self.ends * (1 - 1e-9), self.exits, self.frees, self.enters]).min(dim=0)
        return torch.where(event == _END, self.ends, t), event


def _solved(active: ActiveSets, x: Tensor, z: Tensor, penalty: Tensor) -> Tensor:
    """z with its free values solved for: the inverse's own rounding is removed by refining twice."""
    for _ in range(2):
        z = z + active.solve(active.against(x - active.combined(z)) - penalty[:, None] * active.sign)
    return z
