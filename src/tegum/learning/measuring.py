"""measure: what an autoencoder does to activations, over as many rows as there are, a batch at a time."""

import math
from typing import Any

import torch

from tegum.activations import Activations
from tegum.learning.sparse_autoencoder import SparseAutoencoder

_HELD = 1 << 22  # codes made at a time


def measure(sae: SparseAutoencoder, activations: Activations, *, rates: bool = False) -> dict[str, Any]:
    """Metrics as `tegum.learning.metrics` defines them, over all rows.

    They are rows, explained_variance, explained_variance_centred, mean_cosine, norm_ratio, shrinkage, l0, dead_share, and with `rates` firing_rates,
    one a feature. Raises ValueError for activations of other dims, or without rows.
    """
    if activations.n_dims != sae.n_dims:
        raise ValueError(f"the activations have {activations.n_dims} dims but the autoencoder takes {sae.n_dims}")
    if not len(activations):
        raise ValueError("there are no rows to measure on")
    step = max(1, _HELD // sae.n_features)
    d, device = sae.n_dims, sae.get_parameter("decoder").device
    fired = torch.zeros(sae.n_features, dtype=torch.int64)
    first, first_error = torch.zeros(d, dtype=torch.float64), torch.zeros(d, dtype=torch.float64)
    square = error = cosine = ratio = inner = size = 0.0
    shift = activations.read(slice(0, step)).double().mean(0)
    nonzero = 0
    for begin in range(0, len(activations), step):
        x = activations.read(slice(begin, begin + step), sae.dtype)
        with torch.no_grad():
            z = sae.encode(x.to(device))
            y = sae.decode(z)
        fired += (z != 0).sum(0).cpu()
        x, y = x.double(), y.double().cpu()
        e, moved = x - y, x - shift
        first, first_error = first + moved.sum(0), first_error + e.sum(0)
        square, error = square + float(moved.square().sum()), error + float(e.square().sum())
        along, lengths, made = (x * y).sum(1), x.norm(dim=1), y.norm(dim=1)
        kept = lengths > 0
        cosine += float((along / (lengths * made).clamp(min=1e-30)).sum())
        ratio, nonzero = ratio + float((made[kept] / lengths[kept]).sum()), nonzero + int(kept.sum())
        inner, size = inner + float(along.sum()), size + float(y.square().sum())
    n = len(activations)
    spread = square - float(first.square().sum()) / n
    told: dict[str, Any] = {
        "rows": n,
        "explained_variance": 1 - error / spread if spread > 0 else math.nan,
        "explained_variance_centred": 1 - (error - float(first_error.square().sum()) / n) / spread if spread > 0 else math.nan,
        "mean_cosine": cosine / n,
        "norm_ratio": ratio / nonzero if nonzero else math.nan,
        "shrinkage": size / inner if inner else math.nan,
        "l0": int(fired.sum()) / n,
        "dead_share": float((fired == 0).double().mean()),
    }
    return told | ({"firing_rates": (fired.double() / n).tolist()} if rates else {})
