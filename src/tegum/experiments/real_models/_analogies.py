"""Analogies a : a* :: c : c*, asked as V(c) - V(a) + V(a*) and answered by cosine (Mikolov, Yih & Zweig 2013).

Every ordered pair of word pairs in a category is one question, so questions share words: intervals resample word pairs, not questions. An
answer counts for little until two easy ways of being right are ruled out (Linzen 2016, 'Issues in evaluating semantic spaces using word
analogies'): the answer may be near V(c) whatever is added, or any answer of the category may do. Both are ranked beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tegum.shapes import Float

_PAIRS = {
    "woman of man": "man woman, king queen, boy girl, father mother, son daughter, brother sister, husband wife, uncle aunt, prince princess, "
    "actor actress, nephew niece, grandfather grandmother",
    "capital of country": "france paris, germany berlin, italy rome, spain madrid, japan tokyo, russia moscow, china beijing, england london, "
    "greece athens, egypt cairo, portugal lisbon, austria vienna",
    "people of country": "france french, germany german, italy italian, spain spanish, japan japanese, russia russian, china chinese, "
    "england english, greece greek, egypt egyptian, poland polish, sweden swedish",
    "plural": "dog dogs, cat cats, car cars, house houses, book books, tree trees, river rivers, hand hands, king kings, road roads, "
    "student students, friend friends",
    "past, regular": "walk walked, play played, look looked, work worked, call called, ask asked, open opened, turn turned, move moved, "
    "talk talked, jump jumped, laugh laughed",
    "past, irregular": "go went, take took, give gave, see saw, write wrote, come came, know knew, find found, speak spoke, eat ate, "
    "drive drove, begin began",
    "-ing form": "walk walking, play playing, go going, take taking, write writing, see seeing, eat eating, speak speaking, run running, "
    "sing singing, read reading, build building",
    "comparative": "big bigger, small smaller, fast faster, slow slower, strong stronger, high higher, low lower, old older, young younger, "
    "long longer, weak weaker, cheap cheaper",
    "superlative": "big biggest, small smallest, fast fastest, strong strongest, high highest, low lowest, old oldest, young youngest, "
    "long longest, great greatest, large largest, late latest",
    "adverb": "quick quickly, slow slowly, sudden suddenly, easy easily, happy happily, rapid rapidly, real really, usual usually, "
    "quiet quietly, careful carefully, serious seriously, complete completely",
}
CATEGORIES: dict[str, tuple[tuple[str, str], ...]] = {
    name: tuple((first, second) for first, second in (pair.split() for pair in pairs.split(", "))) for name, pairs in _PAIRS.items()
}


@dataclass(frozen=True)
class Ranks:
    """Rank of c* for the question from word pair i (row) to word pair j (column); 1 is nearest, 0 on the diagonal, where nothing is asked."""

    among_all: np.ndarray
    """Among every token of the vocabulary."""
    others: np.ndarray
    """With a, a* and c left out, as is usual."""
    no_offset: np.ndarray
    """By the cosine to V(c) alone, a, a* and c left out."""
    wrong_answer: np.ndarray
    """The rank of the nearest of all other pairs' answers to the same question, a, a* and c left out."""


def ranks(table: Float[Tensor, "tokens dims"], index: dict[str, int], pairs: Sequence[tuple[str, str]]) -> Ranks:
    """Ask every question of one category. `index` maps a word to its row; all words must be in it."""
    n = len(pairs)
    first, second = (torch.tensor([index[pair[side]] for pair in pairs]) for side in (0, 1))
    unit = torch.nn.functional.normalize(table, dim=1)
    from_, to = (grid.flatten() for grid in torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij"))
    question = table[first[to]] - table[first[from_]] + table[second[from_]]
    out = torch.stack([first[from_], second[from_], first[to]], dim=1)
    similar = torch.nn.functional.normalize(question, dim=1) @ unit.T
    among_all = _rank(similar, second[to])
    similar.scatter_(1, out, -2.0)
    alone = (unit[first] @ unit.T)[to].scatter_(1, out, -2.0)
    wrong = second[similar[:, second].scatter(1, to[:, None], -3.0).argmax(1)]
    found = among_all, _rank(similar, second[to]), _rank(alone, second[to]), _rank(similar, wrong)
    off = ~torch.eye(n, dtype=torch.bool)
    return Ranks(*((rank.reshape(n, n) * off).numpy() for rank in found))


def nearest(
    table: Float[Tensor, "tokens dims"], index: dict[str, int], words: Sequence[str], a: str, a_star: str, c: str, k: int
) -> list[str]:
    """The k tokens nearest to V(c) - V(a) + V(a*), those three included."""
    question = table[index[c]] - table[index[a]] + table[index[a_star]]
    return [words[int(i)] for i in torch.cosine_similarity(table, question[None]).topk(k).indices.tolist()]


def hit_shares(ranks_by_category: Sequence[np.ndarray], resamples: int, seed: int) -> tuple[float, np.ndarray]:
    """The share of questions answered at rank 1, a mean over categories; and the same after resampling each category's word pairs.

    The draws depend on `seed` alone, so shares of two measures on the same questions can be subtracted resample by resample.
    """
    draw = np.random.default_rng(seed)
    shares, resampled = [], np.zeros(resamples)
    for rank in ranks_by_category:
        n = len(rank)
        hit = (rank == 1).astype(float)
        shares.append(hit.sum() / (n * (n - 1)))
        weight = draw.multinomial(n, np.full(n, 1 / n), size=resamples).astype(float)
        asked = n * n - (weight**2).sum(1)
        resampled += np.einsum("bi,ij,bj->b", weight, hit, weight) / np.maximum(asked, 1) / len(ranks_by_category)
    return float(np.mean(shares)), resampled


def _rank(similar: Tensor, answer: Tensor) -> Tensor:
    """1 + the number of tokens nearer than `answer`, a column of each row."""
    return 1 + (similar > similar.gather(1, answer[:, None])).sum(1)
