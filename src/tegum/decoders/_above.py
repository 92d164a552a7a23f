"""Codes of all features whose readings are above a threshold, by blocks of features: as many in each sample as there are."""

from collections.abc import Callable

import torch
from torch import Tensor

from tegum.decoders._base import Decoded, Values, as_kind
from tegum.decoders._scaled import Scaled
from tegum.features import SparseCodes
from tegum.shapes import Float


def above(directions: Scaled, x: Float[Tensor, "batch dims"], threshold: Callable[[slice], Tensor | float], kind: Values | str) -> Decoded:
    """What is larger than `threshold` of a block of features, a number or one for each reading; in magnitude if codes are signed."""
    indices, values = [], []
    for block, readings in directions.correlations(x):
        size = readings.abs() if kind is Values.SIGNED else readings
        active = torch.ones_like(readings) if kind is Values.BINARY else as_kind(readings, kind)
        found = SparseCodes.from_dense(torch.where(size > threshold(block), active, 0))
        indices.append(torch.where(found.indices < 0, -1, found.indices + block.start))
        values.append(found.values)
    out = Decoded.of(torch.cat(indices, dim=1), torch.cat(values, dim=1), directions.n_features)
    width = int(out.z.n_active.max()) if len(x) else 0
    return Decoded(SparseCodes(out.z.indices[:, :width], out.z.values[:, :width], directions.n_features), out.status, out.steps)
