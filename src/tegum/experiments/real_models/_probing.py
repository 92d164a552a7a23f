"""Linear probes on labelled rows: logistic regression, what it gets right on rows held out by document, and the easy ways of being right beside it.

A probe that is right shows little until it is known what else would have been: to say the label of the token whatever stands around it (a table of
how often each token has which label), and to learn any labels at all (the control task of Hewitt & Liang 2019, 'Designing and interpreting probes
with control tasks': each token type gets a label by lot, always the same; what a probe gets right of those it has memorised).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tegum.shapes import Bool, Float, Int

_STRENGTH = 0.1  # inverse penalty of rows made of variance 1


@dataclass(frozen=True, eq=False)
class Labelled:
    """Rows with labels 0, 1, ...; which are held out; the token of each, and its document: what is resampled for intervals."""

    labels: Int[Tensor, " rows"]
    held_out: Bool[Tensor, " rows"]
    tokens: Int[Tensor, " rows"]
    documents: Int[Tensor, " rows"]


def probe_right(x: Float[Tensor, "rows dims"], labels: Int[Tensor, " rows"], held_out: Bool[Tensor, " rows"]) -> Bool[Tensor, " held"]:
    """Which of the rows held out a logistic regression on the others labels right. Coordinates are made of variance 1 first."""
    from sklearn.linear_model import LogisticRegression

    rest = x[~held_out].double()
    scale = rest.std(0, correction=0)
    moved = (x.double() - rest.mean(0)) / torch.where(scale > 1e-9 * scale.max(), scale, 1)
    model = LogisticRegression(C=_STRENGTH, max_iter=2000, tol=1e-3)
    model.fit(moved[~held_out].numpy(), labels[~held_out].numpy())
    return torch.from_numpy(model.predict(moved[held_out].numpy()) == labels[held_out].numpy())


def control_labels(tokens: Int[Tensor, " rows"], seed: int) -> Int[Tensor, " rows"]:
    """A label of two by lot for each token type."""
    coin = torch.randint(2, (int(tokens.max()) + 1,), generator=torch.Generator().manual_seed(seed))
    return coin[tokens]


def identity_right(told: Labelled, all_tokens: Int[Tensor, " more"], all_labels: Int[Tensor, " more"]) -> Float[Tensor, " held"]:
    """What a table of token types gets right of the rows held out, 1/2 where it cannot say.

    Of two labels a token has that which it has more often in the documents learnt from, each label's rate taken for even, as it is among the rows.
    """
    size = int(max(all_tokens.max(), told.tokens.max())) + 1
    counts = torch.stack([torch.bincount(all_tokens[all_labels == label], minlength=size).double() for label in (0, 1)])
    rates = counts / counts.sum(1, keepdim=True).clamp(min=1)
    more = (rates[1] - rates[0])[told.tokens[told.held_out]].sign()
    truth = 2 * told.labels[told.held_out] - 1
    return (1 + more * truth) / 2


def share_by_document(
    right: Bool[Tensor, " held"] | Float[Tensor, " held"], documents: Int[Tensor, " held"], resamples: int, seed: int
) -> tuple[float, np.ndarray]:
    """The share that is right, and the same of documents drawn again with replacement; the draws depend on seed and number of documents alone."""
    _, inverse = np.unique(documents.numpy(), return_inverse=True)
    hits = np.bincount(inverse, right.double().numpy())
    rows = np.bincount(inverse)
    draw = np.random.default_rng(seed)
    weight = draw.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=resamples)
    return float(hits.sum() / rows.sum()), (weight @ hits) / np.maximum(weight @ rows, 1)
