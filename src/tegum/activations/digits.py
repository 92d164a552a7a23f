"""A small network on real images: scikit-learn's 1,797 handwritten digits, 8 by 8, through a perceptron that is trained in seconds."""

import importlib.util
from collections import OrderedDict
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tegum.checks import check_count, check_seed
from tegum.shapes import Float, Int

_RATE, _BATCH = 3e-3, 128


class Digits(NamedTuple):
    """The network, whose submodules are "hidden", "active" and "readout"; the images, from 0 to 1, and their labels; which it was not trained on."""

    network: nn.Module
    images: Float[Tensor, "images pixels"]
    labels: Int[Tensor, " images"]
    held_out: Int[Tensor, " some"]
    accuracy: float

    def batches(self, batch_size: int = 256) -> list[Float[Tensor, "batch pixels"]]:
        """All images, for `capture`."""
        return list(self.images.split(batch_size))


def digits_network(n_hidden: int = 64, *, epochs: int = 40, seed: int = 0) -> Digits:
    """A perceptron with one rectified hidden layer, trained with Adam on four fifths of the images; `accuracy` is on the rest.

    Needs scikit-learn. Raises ValueError for sizes and seeds that are none.
    """
    check_count("n_hidden", n_hidden)
    check_count("epochs", epochs)
    check_seed(seed)
    if importlib.util.find_spec("sklearn") is None:
        raise ModuleNotFoundError("the digits come with scikit-learn: pip install 'tegum[models]'")
    from sklearn.datasets import load_digits

    pixels, targets = load_digits(return_X_y=True)
    images, labels = torch.from_numpy(pixels / 16).float(), torch.from_numpy(targets)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images), generator=generator)
    held, rest = order[: len(order) // 5], order[len(order) // 5 :]
    hidden, readout = nn.Linear(images.shape[1], n_hidden), nn.Linear(n_hidden, 10)
    network = nn.Sequential(OrderedDict(hidden=hidden, active=nn.ReLU(), readout=readout))
    with torch.no_grad():
        for layer in (hidden, readout):
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) * (2 / layer.in_features) ** 0.5)
            layer.bias.zero_()
    optimiser = torch.optim.Adam(network.parameters(), lr=_RATE)
    for _ in range(epochs):
        for some in rest[torch.randperm(len(rest), generator=generator)].split(_BATCH):
            loss = nn.functional.cross_entropy(network(images[some]), labels[some])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with torch.no_grad():
        right = (network(images[held]).argmax(1) == labels[held]).double().mean()
    return Digits(network.eval(), images, labels, held, float(right))
