"""loss_recovered: what a model loses when an autoencoder's reconstruction takes the place of its activations.

Three passes of each batch: as the model is, with the site's activations reconstructed, and with them ablated.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tegum.activations._sites import WHERES, check_sites, tensor_of, to_device
from tegum.progress import bar
from tegum.results import Result
from tegum.shapes import Bool, Float

if TYPE_CHECKING:
    import pandas as pd

ABLATIONS = "zero", "mean"
_RESAMPLED = 2_000
_PADDING, _DOCUMENTS = "attention_mask", "documents"
Change = Callable[[Tensor], Tensor]  # of rows


@dataclass(frozen=True, eq=False)
class LossRecovered(Result):
    """Mean losses of a model: as it is (`clean`), with reconstructed activations (`spliced`), with ablated ones (`ablated`).

    `batches` (batches, 3) has these of each batch, `weights` of how many samples each is; `ablation` says what ablated means.
    """

    clean: float
    spliced: float
    ablated: float
    ablation: str
    batches: Float[Tensor, "batches losses"]
    weights: Float[Tensor, " batches"]

    @property
    def recovered(self) -> float:
        """(ablated - spliced) / (ablated - clean): 1 where nothing is lost, 0 where as much as by ablation; nan where ablation costs nothing."""
        return (self.ablated - self.spliced) / (self.ablated - self.clean) if self.ablated != self.clean else float("nan")

    @property
    def samples(self) -> int:
        """How many losses the means are of."""
        return int(self.weights.sum())

    def interval(self, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
        """Of `recovered`, by 2,000 resamplings of whole batches: samples of a batch may share documents. Rough below 20 batches, nan for one."""
        n = len(self.batches)
        if n < 2:
            return float("nan"), float("nan")
        drawn = torch.randint(n, (_RESAMPLED, n), generator=torch.Generator().manual_seed(seed))
        means = (self.batches * self.weights[:, None])[drawn].sum(1) / self.weights[drawn].sum(1)[:, None]
        shares = (means[:, 2] - means[:, 1]) / (means[:, 2] - means[:, 0])
        low, high = shares.quantile(torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=shares.dtype)).tolist()
        return low, high

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a batch."""
        import pandas as pd

        columns = dict(zip(("clean", "spliced", "ablated"), self.batches.T.numpy(), strict=True))
        return pd.DataFrame({"batch": range(len(self.batches)), "samples": self.weights.numpy()} | columns)

    def __repr__(self) -> str:
        low, high = self.interval()
        return (
            f"LossRecovered({self.recovered:.4g} [{low:.4g}, {high:.4g}] of {self.ablation} ablation: loss {self.clean:.4g}, "
            f"spliced {self.spliced:.4g}, ablated {self.ablated:.4g}; {self.samples:,} samples)"
        )


@torch.no_grad()
def loss_recovered(
    model: nn.Module,
    site: str,
    sae: Callable[[Tensor], Tensor],
    batches: Iterable[Any],
    loss: Callable[[Any, Any], Tensor | float],
    *,
    inputs: Callable[[Any], Any] | None = None,
    where: str = "output",
    dim: int = -1,
    mask: Callable[[Any], Bool[Tensor, "batch positions"]] | None = None,
    ablation: str = "zero",
    progress: bool | None = None,
) -> LossRecovered:
    """The share of a model's loss that survives when `sae`'s reconstructions take the place of the activations of `site`.

    recovered = (ablated - spliced) / (ablated - clean). It flatters: where ablation ruins the model, much may be lost at .99. So the losses are
    told too.

    Parameters
    ----------
    sae
        A `SparseAutoencoder`, a `LearntDictionary`, or any function from rows (n, dims) to rows.
    batches
        As `tegum.activations.capture` takes them. They are kept in a list, for "mean" reads them twice.
    loss
        From what the model returned and the batch to its loss: one number a sample or token, or their mean, which weighs as the batch has samples.
    inputs
        From a batch to what the model is called with; by default the batch itself, less a mapping's "documents".
    where, dim, mask
        As `capture` has them: input or output, which dim holds the features, which rows are no padding. Padding and rows that are not finite stay as
        they are, and so does all but the site's first call in a pass.
    ablation
        What takes the place of activations for comparison: "zero", as in SAELens' ce_loss_score and dictionary_learning's frac_recovered, or
        "mean", that of all rows of all batches, which is the harder comparison.

    The model runs in eval mode and is left in the mode it was in. Raises ValueError for arguments that are none of these, no batches, a site that is
    no submodule or is not reached, other dims than the autoencoder's, and reconstructions of another shape.
    """
    check_sites(model, [site])
    for name, value, known in (("where", where, WHERES), ("ablation", ablation, ABLATIONS)):
        if value not in known:
            raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(known)}")
    told = list(batches)
    if not told:
        raise ValueError("there are no batches: nothing was measured")
    spot = _Spot(model, site, where, dim, mask, getattr(sae, "n_dims", None))
    dtype = getattr(sae, "dtype", None)
    mean = _Mean()

    def reconstructed(rows: Tensor) -> Tensor:
        y = sae(rows if dtype is None else rows.to(dtype))
        if y.shape != rows.shape:
            raise ValueError(f"the reconstruction has shape {tuple(y.shape)}, the rows of {site} {tuple(rows.shape)}")
        return y.to(rows)

    training = {module: module.training for module in model.modules()}
    model.eval()
    losses, weights = torch.zeros(len(told), 3, dtype=torch.float64), torch.zeros(len(told), dtype=torch.float64)
    try:
        with bar(f"splicing at {site}", 3 * len(told), "passes", progress) as done:
            for stage, change in enumerate((mean.seen, reconstructed, torch.zeros_like if ablation == "zero" else mean.taken)):
                for number, batch in enumerate(told):
                    losses[number, stage], weights[number] = spot.loss(batch, inputs, loss, change)
                    done(stage * len(told) + number + 1)
    finally:
        for module, mode in training.items():
            module.training = mode
    clean, spliced, ablated = ((losses * weights[:, None]).sum(0) / weights.sum()).tolist()
    return LossRecovered(clean, spliced, ablated, ablation, losses, weights)


class _Mean:
    """Of all rows seen."""

    def __init__(self) -> None:
        self.rows, self.total = 0, torch.zeros(())

    def seen(self, rows: Tensor) -> Tensor:
        """The same rows; they are counted."""
        self.rows, self.total = self.rows + len(rows), self.total.to(rows.device) + rows.double().sum(0)
        return rows

    def taken(self, rows: Tensor) -> Tensor:
        """The mean, as often as there are rows."""
        return (self.total / max(1, self.rows)).to(rows).expand_as(rows)


class _Spot:
    """A site of a model, whose rows can be changed in passing."""

    def __init__(self, model: nn.Module, site: str, where: str, dim: int, mask: Callable[[Any], Tensor] | None, n_dims: int | None) -> None:
        self.model, self.site, self.where, self.dim, self.mask, self.n_dims = model, site, where, dim, mask, n_dims
        parameter = next(model.parameters(), None)
        self.device = torch.device("cpu") if parameter is None else parameter.device

    def loss(
        self, batch: Any, inputs: Callable[[Any], Any] | None, loss: Callable[[Any, Any], Tensor | float], change: Change
    ) -> tuple[float, int]:
        """The mean loss of a batch with the rows changed, and of how many samples it is."""
        batch = _on(batch, self.device)
        given = self.mask(batch) if self.mask else batch.get(_PADDING) if isinstance(batch, Mapping) else None
        if inputs is not None:
            call = inputs(batch)
        else:
            call = {name: value for name, value in batch.items() if name != _DOCUMENTS} if isinstance(batch, Mapping) else batch
        with self._changed(given, change) as samples:
            if isinstance(call, Mapping):
                out = self.model(**call)
            elif isinstance(call, (tuple, list)):
                out = self.model(*call)
            else:
                out = self.model(call)
        if not samples:
            raise ValueError(f"{self.site} was not reached: the model does not call it on these batches")
        value = torch.as_tensor(loss(out, batch)).double()
        return float(value.mean()), value.numel() if value.ndim else samples[0]

    @contextmanager
    def _changed(self, given: Any, change: Change) -> Iterator[list[int]]:
        """A list that holds the number of samples once the site was called; the hook is gone at the end."""
        samples: list[int] = []

        def changed(value: Any) -> Any:
            if samples:
                return value
            tensor = tensor_of(value)
            if tensor is None:
                raise ValueError(f"the {self.where} of {self.site} holds no floating-point tensor, but {type(value).__name__}")
            samples.append(len(tensor))
            return _replaced(value, tensor, self._rows_changed(tensor, given, change))

        def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
            values = changed((*args, *kwargs.values()))
            return values[: len(args)], dict(zip(kwargs, values[len(args) :], strict=True))

        module = self.model.get_submodule(self.site)
        if self.where == "output":
            handle = module.register_forward_hook(lambda _, __, output: changed(output))
        else:
            handle = module.register_forward_pre_hook(before, with_kwargs=True)
        try:
            yield samples
        finally:
            handle.remove()

    def _rows_changed(self, tensor: Tensor, given: Any, change: Change) -> Tensor:
        if not -tensor.ndim <= self.dim < tensor.ndim or tensor.ndim < 2:
            raise ValueError(
                f"the {self.where} of {self.site} has shape {tuple(tensor.shape)}: it has no rows of features along dim {self.dim}"
            )
        moved = tensor.movedim(self.dim, -1).clone()
        if self.n_dims is not None and moved.shape[-1] != self.n_dims:
            raise ValueError(f"{self.site} has {moved.shape[-1]} dims but the autoencoder has {self.n_dims}")
        keep = moved.isfinite().all(-1)
        if given is not None:
            rows = torch.as_tensor(given).to(keep.device).bool()
            if rows.shape != keep.shape:
                raise ValueError(
                    f"the mask has shape {tuple(rows.shape)}, but rows have {tuple(keep.shape)}: say by mask= which rows to keep"
                )
            keep &= rows
        moved[keep] = change(moved[keep])
        return moved.movedim(-1, self.dim)


def _on(batch: Any, device: torch.device) -> Any:
    moved = to_device(batch, device)
    return moved if not isinstance(batch, list) else list(moved)


def _replaced(value: Any, old: Tensor, new: Tensor) -> Any:
    """The same value with one tensor in the place of another, the first time it is met."""
    if value is old:
        return new
    if isinstance(value, Mapping):
        name = next((name for name, part in value.items() if tensor_of(part) is old), None)
        if name is None:
            return value
        other: Any = copy.copy(value)
        other[name] = _replaced(value[name], old, new)
        return other
    parts, place = list(value), next(place for place, part in enumerate(value) if tensor_of(part) is old)
    parts[place] = _replaced(parts[place], old, new)
    return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
