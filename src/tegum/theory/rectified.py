"""Exact squared error of one rectified output, given which features are active.

With the features of one support active, an output is relu(y), y = bias + gains . u, and u holds the k active values, i.i.d. of one kind:

- binary: u = 1, nothing is left to integrate;
- signed: u = +-1, a mean over 2^k corners;
- gaussian: y is Gaussian, and E u_i relu(y) = gains_i P(y > 0) by Stein's lemma;
- uniform: moments of (y)_+ over the unit cube. The textbook answer is one alternating sum over its corners,
  r! / ((r+k)! prod gains) sum_s (-1)^(k-|s|) (bias + gains . s)_+^(r+k), and it loses every digit once a gain is small. Here the
  coordinates are integrated out one at a time, the largest gain first, and a corner from which the remaining, smaller gains cannot cross the
  kink is closed with a sum of positive terms. Only differences across a kink are left, and those are as large as what they are divided by: the
  rounding error stays within a small multiple of eps (|bias| + sum |gains|)^2 however small a gain is.

Everything is differentiable in gains and bias, zero gains included.
"""

from itertools import product
from math import factorial, pi

import torch
from torch import Tensor

from tegum.shapes import Float

VALUES = ("uniform", "binary", "signed", "gaussian")
MAX_CORNERS = 16  # active features whose 2^k corners are still summed


def leaked(gains: Float[Tensor, "*rows active"], bias: Float[Tensor, "*rows"], values: str) -> Float[Tensor, "*rows"]:
    """E relu(y)^2: the squared error of an output whose own feature is off."""
    if values == "uniform":
        return _cube_moments(gains, bias, own=None)[0]
    if values == "gaussian":
        return _gaussian(gains, bias)[0]
    return (bias[..., None] + gains @ _corners(gains, values).mT).clamp(min=0).square().mean(-1)


def missed(
    gains: Float[Tensor, "*rows active"], bias: Float[Tensor, "*rows"], own: Float[Tensor, "*#rows active"], values: str
) -> Float[Tensor, "*rows"]:
    """E (u_own - relu(y))^2: the squared error of an output whose own feature is on.

    `own` is 1 at that feature and 0 elsewhere; a row of zeros stands for a feature that is off, and gives what `leaked` gives.
    """
    if values == "uniform":
        squared, product_ = _cube_moments(gains, bias, own)
        return own.sum(-1) / 3 - 2 * product_ + squared
    if values == "gaussian":
        squared, positive = _gaussian(gains, bias)
        return own.sum(-1) - 2 * (own * gains).sum(-1) * positive + squared
    corners = _corners(gains, values).mT
    return (own @ corners - (bias[..., None] + gains @ corners).clamp(min=0)).square().mean(-1)


def _corners(gains: Tensor, values: str) -> Tensor:
    active = gains.shape[-1]
    points = list(product((-1.0, 1.0), repeat=active)) if values == "signed" else [(1.0,) * active]
    return torch.tensor(points, dtype=gains.dtype, device=gains.device).reshape(len(points), active)


def _gaussian(gains: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """E relu(y)^2 and P(y > 0) for y ~ N(bias, |gains|^2)."""
    variance = gains.square().sum(-1)
    still = variance < 1e-200  # a spread under 1e-100 moves nothing, and its gradient must not be inf * 0
    spread = torch.where(still, 1.0, variance).sqrt()
    z = bias / spread
    positive = torch.special.ndtr(z)
    squared = (bias.square() + variance) * positive + bias * spread * torch.exp(-z.square() / 2) / (2 * pi) ** 0.5
    return torch.where(still, bias.clamp(min=0).square(), squared), torch.where(still, (bias > 0).to(bias), positive)


def _cube_moments(gains: Tensor, bias: Tensor, own: Tensor | None) -> tuple[Tensor, Tensor]:
    """E (y)_+^2 and, where `own` marks each row's own coordinate, E u_own (y)_+, over u uniform on the unit cube.

    Each negative gain is turned round (u -> 1 - u), so `low`, the smallest value of y, has only non-negative steps above it. `square` and
    `first` are E (v + rest)_+^q at a corner v, with q the power 2 or 1 raised by one for every coordinate integrated out; `weighted` is
    E u_own (v + rest)_+^q. They are carried from the corners of the whole cube (all integrated out) back to `low` (none).
    """
    active = gains.shape[-1]
    turned = gains < 0
    low = bias + torch.where(turned, gains, 0.0).sum(-1)
    steps, order = torch.where(turned, -gains, gains).sort(dim=-1, descending=True)
    mark = None if own is None else own.expand_as(gains).gather(-1, order)
    corners = [low[..., None]]
    for step in steps.unbind(-1):
        corners.append((corners[-1][..., None] + torch.stack((torch.zeros_like(step), step), -1)[..., None, :]).flatten(-2))
    polynomials = _polynomials(steps, mark)

    top = corners[-1].clamp(min=0)
    square, first, weighted = top ** (2 + active), top ** (1 + active), torch.zeros_like(top)
    for done in reversed(range(active)):
        v = corners[done]
        clear = v >= 0  # nothing that is left can cross the kink from here
        closed = _powers(v.clamp(min=0), 2 + done) @ polynomials[done]
        step = steps[..., done, None]
        step = torch.where(step > 1e-100, step, 1.0)  # below that the difference is zero anyway, and its gradient must not be 0/0
        lower_square, upper_square = _pairs(square)
        square = torch.where(clear, closed[..., 0], (upper_square - lower_square) / ((3 + done) * step))
        if mark is None:
            continue
        lower_first, upper_first = _pairs(first)
        lower_weighted, upper_weighted = _pairs(weighted)
        by_parts = upper_weighted - lower_weighted + mark[..., done, None] * (upper_first - square)
        first = torch.where(clear, closed[..., 1], (upper_first - lower_first) / ((2 + done) * step))
        weighted = torch.where(clear, closed[..., 2], by_parts / ((2 + done) * step))
    if own is None:
        return square[..., 0], square[..., 0]
    own_turned = (turned & (own != 0)).any(-1)
    return square[..., 0], torch.where(own_turned, first[..., 0] - weighted[..., 0], weighted[..., 0])


def _pairs(values: Tensor) -> tuple[Tensor, Tensor]:
    """The two ends of the coordinate that was integrated out last."""
    both = values.unflatten(-1, (-1, 2))
    return both[..., 0], both[..., 1]


def _powers(v: Tensor, most: int) -> Tensor:
    """1, v, ..., v^most on a last axis."""
    powers = [torch.ones_like(v)]
    for _ in range(most):
        powers.append(powers[-1] * v)
    return torch.stack(powers, -1)


def _polynomials(steps: Tensor, mark: Tensor | None) -> list[Tensor]:
    """Coefficients in v of E (v + rest)^(2+j), E (v + rest)^(1+j) and E u_own (v + rest)^(1+j), rest = steps from the j-th on, for each j.

    One coordinate more multiplies the generating functions of the moments E rest^i / i! and E u_own rest^i / i!; u_own counts where it is among
    the rest. Columns are the polynomials, rows the powers of v; only the first column where `mark` is None.
    """
    active = steps.shape[-1]
    size = active + 3
    orders = torch.arange(size, device=steps.device)
    factorials = torch.tensor([float(factorial(i)) for i in range(size)], dtype=steps.dtype, device=steps.device)
    product_of_series = (orders[:, None, None] + orders[:, None] == orders).to(steps).flatten(0, 1)  # (i, l) -> i + l
    scaled = steps[..., None] ** orders / factorials
    moments = (orders == 0).to(steps).expand(*steps.shape[:-1], -1)
    weights = torch.zeros_like(moments)

    def times(kernel: Tensor, series: Tensor) -> Tensor:
        return (kernel[..., :, None] * series[..., None, :]).flatten(-2) @ product_of_series

    def coefficients(series: Tensor, power: int, rows: int) -> Tensor:
        column = series[..., : power + 1].flip(-1) * (factorials[power] / factorials[: power + 1])
        return torch.nn.functional.pad(column, (0, rows - power - 1))

    found = []
    for j in reversed(range(active)):
        alone = scaled[..., j, :] / (orders + 1)
        if mark is not None:
            weights = times(alone, weights) + mark[..., j, None] * times(scaled[..., j, :] / (orders + 2), moments)
        moments = times(alone, moments)
        columns = [coefficients(moments, 2 + j, 3 + j)]
        if mark is not None:
            columns += [coefficients(moments, 1 + j, 3 + j), coefficients(weights, 1 + j, 3 + j)]
        found.append(torch.stack(columns, -1))
    return found[::-1]
