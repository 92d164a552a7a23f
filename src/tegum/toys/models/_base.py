"""Model: a toy network as a frozen description; `.build(instances)` makes the torch module, all its instances side by side.

Every parameter has a leading instances axis and every pass is one batched product, so a thousand models train in one call, and instance i gives
what it would give alone.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from tegum import draws
from tegum.checks import check_count
from tegum.shapes import Float, Int


class ToyModule(nn.Module):
    """`instances` networks that take (instances, batch, features); a module of one instance takes (batch, features) too.

    `hidden` passes the hidden activations through unchanged: it is there to be hooked.
    """

    instances: int
    hidden: nn.Identity

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The output of every instance for its own batch. Raises ValueError when the sizes are not the module's."""
        plain = x.ndim == 2 and self.instances == 1
        batches = x[None] if plain else x
        features = self.bias.shape[-1]
        if batches.ndim != 3 or batches.shape[0] != self.instances or batches.shape[2] != features:
            wanted = f"({self.instances}, batch, {features})" + (f" or (batch, {features})" if self.instances == 1 else "")
            raise ValueError(
                f"x has shape {tuple(x.shape)} but the module holds {self.instances} instances of {features} features: give {wanted}"
            )
        return self.predict(x[None])[0] if plain else self.predict(x)

    def predict(self, x: Float[Tensor, "instances batch features"]) -> Float[Tensor, "instances batch features"]:
        """The network itself."""
        raise NotImplementedError

    @property
    def directions(self) -> Float[Tensor, "instances features hidden"]:
        """Row i is the direction of feature i in the hidden layer."""
        raise NotImplementedError

    @property
    def bias(self) -> Float[Tensor, "instances features"]:
        """The output bias."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Model(ABC):
    """What a toy network is: its sizes, and how it is built. `loss` names the loss it is trained with unless another is asked for."""

    n_features: int
    n_hidden: int
    loss: ClassVar[str] = "SquaredError"
    exact: ClassVar[Literal["relu", "linear"] | None] = None  # the name under which tegum.theory.expected_loss knows it

    def __post_init__(self) -> None:
        """Check the sizes once, here."""
        check_count("n_features", self.n_features)
        check_count("n_hidden", self.n_hidden)

    @abstractmethod
    def empty(self, instances: int) -> ToyModule:
        """The module with its parameters' shapes, not yet drawn."""

    def restored(self, state: Mapping[str, Tensor], rows: slice | Int[Tensor, " some"] = slice(None)) -> ToyModule:
        """The module of some of the instances whose parameters are in `state`, all of them by default; a copy."""
        some = {name: value[rows] for name, value in state.items()}
        first = next(iter(some.values()))
        module = self.empty(len(first)).to(dtype=first.dtype)
        module.load_state_dict(some)
        return module

    def build(
        self,
        instances: int = 1,
        seed: int | Int[Tensor, " instances"] = 0,
        *,
        first_instance: int | Int[Tensor, " instances"] = 0,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> ToyModule:
        """A torch.nn.Module: weights Xavier-normal for each instance (std sqrt(2 / (fan in + fan out))), biases 0.

        The notebook of Elhage et al. calls xavier_normal_ on the whole (instances, n, m) tensor, which makes the scale depend on how many
        instances stand in it; here an instance starts as it would alone.
        """
        check_count("instances", instances)
        ids = torch.as_tensor(first_instance, device=device).reshape(-1)
        ids = ids + torch.arange(instances, device=device) if len(ids) == 1 else ids
        seeds = torch.as_tensor(seed, device=device).expand(instances)
        module = self.empty(instances).to(device=device, dtype=dtype)
        with torch.no_grad():
            for number, parameter in enumerate(module.parameters()):
                if parameter.ndim < 3:
                    parameter.zero_()
                    continue
                fan_out, fan_in = parameter.shape[-2:]
                z = draws.normals(seeds, draws.WEIGHTS, torch.zeros_like(ids), fan_in * fan_out, instance=ids, step=number)
                parameter.copy_(z.reshape(parameter.shape) * math.sqrt(2 / (fan_in + fan_out)))
        return module
