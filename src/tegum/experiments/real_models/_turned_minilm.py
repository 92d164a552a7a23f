"""all-MiniLM-L6-v2 with the basis of a part of it turned: what is written into the part is turned, and what reads from it turns it back.

Where nothing stands between writing and reading but sums and products, the output cannot change. Between an MLP's two matrices stands GELU, one
neuron at a time; along the residual stream stand the gains of LayerNorm, one coordinate at a time. LayerNorm also takes away the mean of the
coordinates, so only rotations that keep the direction (1, ..., 1) can leave it as it is; all those of the stream here do.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from tegum.geometry import haar_rotation
from tegum.shapes import Float

VALUES = "value and output of each head"
QUERIES = "query and key of each head"
STREAM_WITH_GAINS = "residual stream with its gains"
SWAPPED = "MLP neurons, swapped"
STREAM = "residual stream"
NEURONS = "MLP neurons"
UNCHANGED = VALUES, QUERIES, STREAM_WITH_GAINS, SWAPPED
CHANGED = STREAM, NEURONS


@torch.no_grad()
def turned(model: Any, kind: str, seed: int = 0) -> tuple[Any, Float[Tensor, "dims dims"] | None]:
    """A copy of the model, in float64, with that part turned at random in every block; and what its output is turned by, if by anything.

    `SWAPPED` permutes neurons: a rotation that keeps their axes.
    """
    twin = copy.deepcopy(model).double().eval()
    if kind in (STREAM, STREAM_WITH_GAINS):
        return twin, _stream(twin, seed, gains=kind == STREAM_WITH_GAINS)
    for number, layer in enumerate(twin.encoder.layer):
        if kind in (NEURONS, SWAPPED):
            _neurons(layer, seed, number, swapped=kind == SWAPPED)
        else:
            _heads(layer, seed, number, values=kind == VALUES)
    return twin, None


class TurnedNorm(nn.Module):
    """LayerNorm of x that is turned by Q, and turned again. As Q keeps (1, ..., 1), that is a LayerNorm whose gains are a matrix."""

    def __init__(self, norm: nn.Module, Q: Float[Tensor, "dims dims"]) -> None:
        super().__init__()
        self.norm, self.Q = norm, nn.Parameter(Q, requires_grad=False)

    def forward(self, x: Float[Tensor, "*batch dims"]) -> Float[Tensor, "*batch dims"]:
        """Rows x are Q times what the norm knows."""
        return self.norm(x @ self.Q) @ self.Q.T


def keeping_ones(n_dims: int, seed: int) -> Float[Tensor, "n_dims n_dims"]:
    """A random orthogonal matrix, float64, that maps (1, ..., 1) to itself, and is Haar on what is orthogonal to that."""
    start = torch.eye(n_dims, dtype=torch.float64)
    start[:, 0] = 1
    basis = torch.linalg.qr(start).Q  # its first column is along (1, ..., 1)
    inner = torch.eye(n_dims, dtype=torch.float64)
    inner[1:, 1:] = haar_rotation(n_dims - 1, seed)
    return basis @ inner @ basis.T


def _heads(layer: Any, seed: int, number: int, *, values: bool) -> None:
    """One Q a head: on its values and on what the output reads of them, or on its queries and its keys."""
    attention = layer.attention.self
    heads = attention.num_attention_heads
    wide = attention.value.weight.shape[0] // heads
    Q = torch.block_diag(*(haar_rotation(wide, seed, number * heads + head) for head in range(heads)))
    if values:
        _write(attention.value, Q)
        _read(layer.attention.output.dense, Q)
    else:
        _write(attention.query, Q)
        _write(attention.key, Q)


def _neurons(layer: Any, seed: int, number: int, *, swapped: bool) -> None:
    wide = layer.intermediate.dense.weight.shape[0]
    order = torch.randperm(wide, generator=torch.Generator().manual_seed(seed + number))
    Q = torch.eye(wide, dtype=torch.float64)[order] if swapped else haar_rotation(wide, seed, number)
    _write(layer.intermediate.dense, Q)
    _read(layer.output.dense, Q)


def _stream(model: Any, seed: int, *, gains: bool) -> Float[Tensor, "dims dims"]:
    """All that writes into the stream or reads from it, turned by one Q, which is returned; with `gains` the LayerNorms too."""
    Q = keeping_ones(model.config.hidden_size, seed)
    tables = model.embeddings.word_embeddings, model.embeddings.position_embeddings, model.embeddings.token_type_embeddings
    for table in tables:
        table.weight.copy_(table.weight @ Q.T)
    with_norms = [model.embeddings]
    for layer in model.encoder.layer:
        attention = layer.attention.self
        for reader in (attention.query, attention.key, attention.value, layer.intermediate.dense):
            _read(reader, Q)
        for writer in (layer.attention.output, layer.output):
            _write(writer.dense, Q)
            with_norms.append(writer)
    if gains:
        for module in with_norms:
            module.LayerNorm = TurnedNorm(module.LayerNorm, Q)
    return Q


def _write(linear: Any, Q: Float[Tensor, "dims dims"]) -> None:
    """y becomes Q y."""
    linear.weight.copy_(Q @ linear.weight)
    linear.bias.copy_(Q @ linear.bias)


def _read(linear: Any, Q: Float[Tensor, "dims dims"]) -> None:
    """What is read has become Q x."""
    linear.weight.copy_(linear.weight @ Q.T)
