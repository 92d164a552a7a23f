"""ListStepper: the same step for k-sparse autoencoders on the CPU, from lists of the codes that are on; compiled.

One product makes the pre-activations, and is nearly all that is left: reconstructions, both gradients and Adam cost what is on, and one pass over the
weights. Which rows of the encoder have a gradient follows from the lists (Gao et al. 2024, appendix D, make theirs the same way on a GPU).
"""

from collections.abc import Collection, Mapping
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from tegum._compiled import kernels
from tegum._threads import shared_out
from tegum.learning._stepping import BETA1, BETA2, Stepper, Took
from tegum.learning.autoencoders._base import Autoencoder, Moment
from tegum.learning.autoencoders._k_sparse import KSparse, Lists
from tegum.shapes import Float

FREEZABLE = {"decoder"}


def compiled_for(architecture: Autoencoder, like: Tensor, frozen: Collection[str] = ()) -> ModuleType | None:
    """The kernels, where this step can be taken by them: float32, on the CPU, k-sparse, nothing frozen but the decoder, numba installed."""
    if (
        not isinstance(architecture, KSparse)
        or like.device.type != "cpu"
        or like.dtype != torch.float32
        or not FREEZABLE.issuperset(frozen)
    ):
        return None
    return kernels("tegum.learning._lists_numba")


class ListStepper(Stepper):
    """A `KSparse` architecture in float32 on the CPU."""

    architecture: KSparse

    def __init__(self, architecture: KSparse, weights: Mapping[str, Tensor], frozen: Collection[str] = ()) -> None:
        super().__init__(architecture, weights, frozen)
        for table in (self.weights, self.means, self.squares):
            table.update({name: value.contiguous() for name, value in table.items()})
        self._ends = np.asarray(architecture.ends, np.int64)
        self._kept: dict[str, Tensor] = {}  # fresh memory for what every step fills anew would take as long as filling it

    def step(self, x: Float[Tensor, "batch dims"], lr: float, now: Moment) -> Took:
        """Take one step; there are no penalties that a ramp could be of."""
        weights, (rows, d) = self.weights, x.shape
        self.steps += 1
        centred = torch.sub(x, weights["b_dec"], out=self._room("centred", rows, d))
        before = self._room("before", rows, self.architecture.n_features)
        torch.addmm(weights["b_enc"], centred, weights["encoder"].T, out=before)
        lists = self.architecture.listed(before, weights)
        errors, squares = self._reconstructed(lists, centred)
        terms = {"error": float(squares.sum()) / (rows * len(self._ends))}
        more = self._revival(before, centred, errors, now.silent, terms)
        pulled = self._spent(lists, centred, errors, more, lr)
        gradient = torch.from_numpy(errors[: d * rows].reshape(rows, d).sum(0)) - pulled
        self._adam_of("b_dec", gradient, lr)
        self.note(self.architecture.noted(weights, lists))
        on = torch.zeros(self.architecture.n_features, dtype=torch.bool)
        on[torch.from_numpy(lists.features)] = True
        last = errors[-rows * d :]
        left = float(last @ last) * rows * len(self._ends) ** 2 / 4 if len(self._ends) > 1 else terms["error"]
        return Took(terms, left, len(lists.values) / rows, on)

    @property
    def _compiled(self) -> ModuleType:
        found = compiled_for(self.architecture, self.weights["decoder"])
        assert found is not None  # whoever made this has looked
        return found

    def _room(self, name: str, *shape: int) -> Tensor:
        """The same memory as long as the shape is."""
        if name not in self._kept or self._kept[name].shape != shape:
            self._kept[name] = torch.empty(shape)
        return self._kept[name]

    def _reconstructed(self, lists: Lists, centred: Float[Tensor, "batch dims"]) -> tuple[np.ndarray, np.ndarray]:
        """Errors of all levels from each level on, times 2 / (batch levels), flat; and each sample's squared errors."""
        rows, d = centred.shape
        levels = len(self._ends)
        errors, squares = _flat(self._room("errors", levels * rows, d)), np.empty(rows)
        D, x, scale = _flat(self.weights["decoder"]), _flat(centred), np.float32(2 / (rows * levels))

        def some(first: int, last: int) -> None:
            self._compiled.reconstruct(lists.starts, lists.features, lists.values, self._ends, D, x, scale, errors, squares, first, last)

        shared_out(some, rows)
        return errors, squares

    def _revival(
        self, before: Tensor, centred: Tensor, errors: np.ndarray, silent: Tensor | None, terms: dict[str, float]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Where silent features have further gradients, and these: of their encoders, directions and biases."""
        at = np.full(self.architecture.n_features, -1, np.int64)
        nothing = np.empty(0, np.float32)
        if silent is None or not self.architecture.revival or not (count := int(silent.sum())):
            return at, nothing, nothing, nothing
        rows, d = centred.shape
        at[silent.numpy()] = np.arange(count)
        last = torch.from_numpy(errors[-rows * d :].reshape(rows, d)) * (-rows * len(self._ends) / 2)
        seen, directions = before[:, silent].requires_grad_(), self.weights["decoder"][silent].requires_grad_()
        cost = self.architecture.revival_loss(seen, directions, last)
        slopes, along = torch.autograd.grad(cost, (seen, directions))
        terms["revival"] = float(cost.detach())
        return at, _flat(slopes.T @ centred), _flat(along), _flat(slopes.sum(0))

    def _spent(self, lists: Lists, centred: Tensor, errors: np.ndarray, more: tuple[np.ndarray, ...], lr: float) -> Tensor:
        """Change rows and biases of all features; the sum of (gradient of the bias) x (row of the encoder)."""
        n, (_, d) = self.architecture.n_features, centred.shape
        heads, samples = np.empty(n + 1, np.int64), np.empty(len(lists.features), np.int64)
        codes = np.empty(len(lists.features), np.float32)
        self._compiled.by_feature(*lists, heads, samples, codes, np.empty(n, np.int64))
        tables = [_flat(self.weights[name]) for name in ("encoder", "decoder", "b_enc")]
        turns, nothing = "decoder" in self.trained, torch.empty(0)
        running = [_flat(kind.get(name, nothing)) for name in ("encoder", "decoder", "b_enc") for kind in (self.means, self.squares)]
        size, small = self.adam(lr)
        adam, x = np.array([size, BETA1, BETA2, small, 1], np.float32), _flat(centred)
        pulled: list[np.ndarray] = []

        def some(first: int, last: int) -> None:
            mine = np.zeros(d, np.float32)
            pulled.append(mine)
            self._compiled.spend(
                heads, samples, codes, self._ends, errors, x, d, *tables, *running, *more, adam, turns, np.empty(2 * d, np.float32), mine, first, last
            )  # fmt: skip

        shared_out(some, n)
        return torch.from_numpy(np.sum(sorted(pulled, key=lambda part: part.tobytes()), axis=0))  # in an order that no thread decides

    def _adam_of(self, name: str, gradient: Tensor, lr: float) -> None:
        size, small = self.adam(lr)
        self.means[name].mul_(BETA1).add_(gradient, alpha=1 - BETA1)
        self.squares[name].mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        self.weights[name].addcdiv_(self.means[name], self.squares[name].sqrt().add_(small), value=-size)


def _flat(table: Tensor) -> np.ndarray:
    return table.detach().contiguous().reshape(-1).numpy()
