"""Random directions and their largest |cosine|: the first clash of two, what a search in order keeps, and the laws of both.

Cosines of random directions, on the sphere or of random signs, are independent in pairs but not all together. How many pairs reach eps is then
nearly Poisson, and by how little the chance of none may differ from exp(-pairs P) is known: Arratia, Goldstein & Gordon 1989, theorem 1,
where a pair depends on the 2n - 3 that share a direction with it (itself too).
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.stats import binom
from torch import Tensor

from tegum.dictionaries import Dictionary
from tegum.dictionaries.uniform_sphere import spherical
from tegum.shapes import Bool, Float, Int
from tegum.theory._counts import Real
from tegum.theory._numbers import Numbers

_BLOCK = 512  # directions looked at together


def seeds(seed: int, *place: int, count: int) -> list[int]:
    """Seeds for the draws at one place: other sizes get others, or a few dims would begin as many do."""
    return [int(word) >> 1 for word in np.random.SeedSequence([seed, *place]).generate_state(count, np.uint64)]


def largest_cosines(make: Callable[..., Dictionary], n: int, d: int, draws: list[int]) -> Float[np.ndarray, " draws"]:
    """The largest |cosine| of each set of n directions."""
    found = []
    for seed in draws:
        U = make(n, d, seed).dense()
        found.append(float((U @ U.T).abs().triu_(1).max()))
    return np.array(found)


def first_clashes(d: int, eps: float, most: int, draws: list[int]) -> Int[np.ndarray, " draws"]:
    """How many random directions are drawn before one is within eps of an earlier one, up to `most`."""
    return np.array([_first_clash(spherical(most, d, seed).dense(), eps) for seed in draws])


def _first_clash(U: Float[Tensor, "directions dims"], eps: float) -> int:
    for start in range(0, len(U), _BLOCK):
        block = U[start : start + _BLOCK]
        near = (block @ U[: start + len(block)].T).abs_() >= eps
        clash = near.tril_(start - 1).any(1).nonzero()  # each with those before it
        if len(clash):
            return start + int(clash[0])
    return len(U)


def search(d: int, eps: float, candidates: int, seed: int) -> int:
    """How many of so many random candidates are kept, one after another, each with every |cosine| to those kept below eps."""
    kept = torch.empty(0, d)
    for number, start in enumerate(range(0, candidates, _BLOCK)):
        (block_seed,) = seeds(seed, number, count=1)
        block = spherical(min(_BLOCK, candidates - start), d, block_seed).dense()
        free = block[((block @ kept.T).abs() < eps).all(1)]
        kept = torch.cat([kept, free[_in_order((free @ free.T).abs() >= eps)]])
    return len(kept)


def _in_order(near: Bool[Tensor, "free free"]) -> list[int]:
    """Each that is near none of those taken before it."""
    rows, taken = near.numpy(), []
    blocked = np.zeros(len(rows), dtype=bool)
    for i in range(len(rows)):
        if not blocked[i]:
            taken.append(i)
            blocked |= rows[i]
    return taken


def even(tail: Numbers) -> Real:
    """The n, a real number, at which pairs times `tail` is ln 2: random sets are clear in half of all cases."""
    return 0.5 + np.sqrt(0.25 + 2 * math.log(2) / np.asarray(tail))


def clear_chance(n: int, tail: float) -> tuple[float, float]:
    """The chance that no two of n directions reach what a pair reaches with chance `tail`: exp(-pairs tail), and by how much it may be off."""
    mean = n * (n - 1) / 2 * tail
    return math.exp(-mean), min(1.0, 1 / mean) * mean * (4 * n - 7) * tail


def sign_tail(d: int, eps: float) -> float:
    """P(|cosine| >= eps) of two directions of random signs: d fair signs add up to eps d or more, either way."""
    return float(2 * binom.sf(math.ceil(d * (1 + eps) / 2) - 1, d, 0.5))


def p_value(count: int, trials: int, chance: float, slack: float) -> float:
    """How likely a count as far from `chance` is, either way, by the binomial law of whichever chance within `slack` of it favours the count most."""
    above, below = binom.sf(count - 1, trials, min(chance + slack, 1.0)), binom.cdf(count, trials, max(chance - slack, 0.0))
    return min(1.0, 2 * float(above if count > trials * chance else below))


def found_tail(clashes: Int[np.ndarray, " draws"], most: int) -> tuple[float, int]:
    """P(|cosine| >= eps) by the first clashes: pairs before a clash are nearly exponential with mean 1/P. And how many clashed."""
    ended = clashes < most
    return float(ended.sum() / (clashes * (clashes - 1) / 2 + ended * clashes / 2).sum()), int(ended.sum())
