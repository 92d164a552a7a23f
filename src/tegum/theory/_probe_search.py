"""The best probe of every feature, searched for together: splitting, with a bound on how much better any other probe could be.

Feature i's probe b leaves G_i = A b - e_i, whose worst case over k-sparse codes is its k-norm, the sum of its k largest |entries|. The dual of
min_b |A b - e_i|_(k) is

    max -y_i    over the y with A^T y = 0, |y|_inf <= 1, |y|_1 <= k,

so any such y says what no probe of feature i falls below. All features share A, so a step of Douglas and Rachford's splitting is two products of a
batch with an orthonormal basis of A's range, and the nearest point of the polytope {|y|_inf <= 1, |y|_1 <= k}, which is a threshold to find a row.
Steps are taken as Halpern's: reflected, and drawn back to an anchor by less and less, which is moved to where they have come after `ROUND` of
them. That takes less than half of the steps of the plain ones.

The products are of float32 where the gap asked for is above its rounding; what is returned is made and certified in float64.

Source: Watson 1992, 'Linear best approximation using a class of polyhedral norms' (the k-norm and its dual); Eckstein & Bertsekas 1992 (splitting);
Halpern 1967; Lieder 2021, 'On the convergence rate of the Halpern-iteration'; Lu & Yang 2024, 'Restarted Halpern PDHG for linear programming'.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from tegum.dictionaries._largest import largest
from tegum.shapes import Bool, Float, Int

ROUND, LOOK = 40, 20  # steps between anchors, and between looks at the gaps
BATCH, CACHED = 1 << 21, 1 << 16  # numbers of one array of a batch, and of the rows of it that are worked on while they are in the cache
FINE = 1e-3  # relative gaps below it take float64


class Range:
    """What all features share: an orthonormal basis of A's range, and the way from its coordinates c back to probes, A b = basis c."""

    def __init__(self, A: Float[Tensor, "features dims"]) -> None:
        left, sizes, right = torch.linalg.svd(A, full_matrices=False)
        rank = int((sizes > sizes[0] * max(A.shape) * torch.finfo(A.dtype).eps).sum())
        self.basis: Float[Tensor, "features rank"] = left[:, :rank].contiguous()
        self.back: Float[Tensor, "rank dims"] = right[:rank] / sizes[:rank, None]
        self.matched: Float[Tensor, "features rank"] = self.basis * (sizes[:rank] / sizes[0]).square()  # A_i itself as a probe

    def lower_bounds(self, y: Float[Tensor, "some features"], own: Int[Tensor, " some"], k: int) -> Float[Tensor, " some"]:
        """What any y proves, once its part in A's range is taken away and the rest is scaled into the polytope."""
        return _proven(y - (y @ self.basis) @ self.basis.T, own, k)

    def rescaled(self, c: Float[Tensor, "some rank"], own: Int[Tensor, " some"], k: int) -> Float[Tensor, "some rank"]:
        """The same probes at their best lengths."""
        return c * best_scale(c @ self.basis.T, own, k)[1][:, None]


def best_scale(P: Float[Tensor, "some features"], own: Int[Tensor, " some"], k: int) -> tuple[Tensor, Tensor]:
    """The least worst case of each row of readings P = A b at any length of b, and what multiplies b for that.

    With P_i at 1, s_m the sum of the m largest others and g the k-th largest, alpha b has the worst case max(alpha s_k, |1 - alpha| + alpha s_(k-1)):
    least at alpha = 1 / (1 + g), where it is s_k / (1 + g), if s_(k-1) < 1; else at alpha = 0, where it is 1.
    """
    own = own[:, None]
    mine = P.gather(1, own)[:, 0]
    top = largest(P.abs().scatter(1, own, 0), k)[0]
    total, last = top.sum(1), top[:, -1]
    reads = mine > total - last
    scale = torch.where(reads, 1 / torch.where(reads, mine + last, 1), 0)
    return torch.where(reads, total * scale, 1), scale


def best_probes(
    A: Float[Tensor, "features dims"], k: int, tolerance: float, *, every: bool, max_steps: int, done: Callable[[int], None]
) -> tuple[Float[Tensor, "features dims"], Float[Tensor, " features"]]:
    """Probes for A in float64 and a lower bound for each feature; `done` is told how many features are ready.

    A feature is ready when its worst case is within `tolerance` of its bound, relative; unless `every`, also when it is within that of another's
    bound, for then it is not the worst; and after `max_steps`.
    """
    space = Range(A)
    n, rank = space.basis.shape
    if rank == n:
        return space.basis @ space.back, A.new_zeros(n)
    c, bounds = A.new_empty(n, rank), A.new_empty(n)
    batch = _Batch(space, k, torch.float32 if tolerance >= FINE else torch.float64)
    size, fresh, floor, ready = max(1, BATCH // n), 0, 0.0, 0
    while ready < n:
        more = min(size - len(batch.own), n - fresh)
        batch.begin_round(torch.arange(fresh, fresh + more, device=A.device))
        fresh += more
        for step in range(ROUND):
            batch.advance(step)
            if (step + 1) % LOOK == 0:
                low = batch.look()
                floor = floor if every else max(floor, float(low.max()))
                slack = 64 * torch.finfo(batch.dtype).eps
                over = (1 - tolerance) * batch.up - slack > low.clamp(min=floor)
                leaving = ~over | (batch.steps >= max_steps)
                own = batch.own[leaving]
                c[own] = space.rescaled(batch.best[leaving].to(A.dtype), own, k)
                bounds[own] = space.lower_bounds(batch.y[leaving].to(A.dtype), own, k)
                ready += len(own)
                done(ready)
                batch.keep(~leaving)
            if not len(batch.own):
                break
    return c @ space.back, bounds


class _Batch:
    """Features under way. v is rho s + y for the residual s and the dual y; `own` names the features, `best` holds the best probes so far."""

    def __init__(self, space: Range, k: int, dtype: torch.dtype) -> None:
        self.k, self.dtype = k, dtype
        self.Q, self.Qt = space.basis.to(dtype), space.basis.T.to(dtype).contiguous()
        self.matched = space.matched.to(dtype)
        n, rank = self.Q.shape
        self.own = torch.empty(0, dtype=torch.int64, device=self.Q.device)
        self.steps = torch.empty(0, dtype=torch.int64, device=self.Q.device)
        self.v, self.y, self.W = (self.Q.new_empty(0, n) for _ in range(3))
        self.cv, self.cy, self.w, self.best = (self.Q.new_empty(0, rank) for _ in range(4))
        self.rho, self.theta, self.up = (self.Q.new_empty(0) for _ in range(3))

    def begin_round(self, features: Int[Tensor, " more"]) -> None:
        """Balance those under way, take in more, and set the anchor where all stand."""
        if len(self.own):
            self._balance()
        if len(features):
            self._take_in(features)
        self.v0, self.c0 = self.v.clone(), self.cv.clone()

    def advance(self, step: int) -> None:
        """One step, the `step`-th from the anchor."""
        for rows in self._chunks():
            self._project(rows)
        self.cy = self.y @ self.Q
        self.w = self.cv - 2 * self.cy + self.rho[:, None] * self.Q[self.own]
        self.W = self.w @ self.Qt
        back = 1 / (step + 2)
        for rows in self._chunks():  # v = (1 - back) (2 y + 2 W - v) + back v0, W being rho times the reading
            v = self.v[rows].mul_(back - 1)
            v.add_(self.W[rows], alpha=2 - 2 * back).add_(self.y[rows], alpha=2 - 2 * back).add_(self.v0[rows], alpha=back)
        self._at_own(self.v, (2 * back - 2) * self.rho)
        self.cv = (1 - back) * (self.cv - 2 * self.cy) + back * self.c0
        self.steps = self.steps + 1

    def look(self) -> Float[Tensor, " batch"]:
        """Keep what reads better than before; what the duals prove now."""
        error, scale = best_scale(self.W, self.own, self.k)
        better = error < self.up
        self.up = torch.where(better, error, self.up)
        self.best = torch.where(better[:, None], self.w * scale[:, None], self.best)
        return _proven(self.y - self.cy @ self.Qt, self.own, self.k)

    def keep(self, rows: Bool[Tensor, " batch"]) -> None:
        """Only these go on."""
        if bool(rows.all()):
            return
        for name in ("own", "steps", "v", "y", "W", "cv", "cy", "w", "best", "rho", "theta", "up", "v0", "c0"):
            setattr(self, name, getattr(self, name)[rows])

    def _take_in(self, features: Int[Tensor, " more"]) -> None:
        """From the probes of least squares or the directions themselves, at their best lengths; rho makes the dual as long as it then should be."""
        lsq, matched = self.Q[features], self.matched[features]
        error, scale = best_scale(lsq @ self.Qt, features, self.k)
        other_error, other_scale = best_scale(matched @ self.Qt, features, self.k)
        better = other_error < error
        up = torch.where(better, other_error, error)
        c = torch.where(better[:, None], matched * other_scale[:, None], lsq * scale[:, None])
        P = c @ self.Qt
        self._at_own(P, -torch.ones_like(up), features)
        least = torch.finfo(self.dtype).tiny
        rho = up.clamp(min=least) / P.norm(dim=1).clamp(min=least) / 2
        fresh = {
            "own": features, "steps": torch.zeros_like(features), "v": P.mul_(rho[:, None]), "y": P, "W": P,
            "cv": (c - lsq) * rho[:, None], "cy": c, "w": c, "best": c,
            "rho": rho, "theta": torch.zeros_like(rho), "up": up,
        }  # fmt: skip
        for name, value in fresh.items():
            setattr(self, name, torch.cat([getattr(self, name), value]))

    def _balance(self) -> None:
        """rho such that residual and dual are of one length: the scale at which splitting is quickest."""
        rest, crest = self.v - self.y, self.cv - self.cy
        ratio = (self.y.norm(dim=1) / rest.norm(dim=1).clamp(min=1e-30)).clamp(0.25, 4.0)
        self.v, self.cv = torch.addcmul(self.y, rest, ratio[:, None]), torch.addcmul(self.cy, crest, ratio[:, None])
        self.rho = self.rho * ratio

    def _project(self, rows: slice) -> None:
        """y, the nearest point of the polytope to v: |v| less theta, from 0 to 1; two steps of Newton's from the last theta."""
        v, y, theta, k = self.v[rows], self.y[rows], self.theta[rows, None], self.k
        size, total = v.abs(), theta
        for _ in range(2):
            torch.sub(size, theta, out=y).clamp_(0, 1)
            total = y.sum(1, keepdim=True)
            theta = (theta + (total - k) / y.sign().sum(1, keepdim=True).clamp(min=1)).clamp(min=0)
        torch.copysign(y.mul_((k / total).clamp(max=1)), v, out=y)
        self.theta[rows] = theta[:, 0]

    def _chunks(self) -> list[slice]:
        step = max(1, CACHED // self.v.shape[1])
        return [slice(first, first + step) for first in range(0, len(self.v), step)]

    def _at_own(self, array: Tensor, more: Tensor, own: Tensor | None = None) -> None:
        own = self.own if own is None else own
        array[torch.arange(len(own), device=own.device), own] += more


def _proven(null: Float[Tensor, "some features"], own: Int[Tensor, " some"], k: int) -> Float[Tensor, " some"]:
    size = null.abs()
    scale = torch.maximum(size.amax(1), size.sum(1) / k)
    return (-null.gather(1, own[:, None])[:, 0] / scale.clamp(min=torch.finfo(null.dtype).tiny)).clamp(min=0)
