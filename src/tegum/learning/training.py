"""Training a reader: fresh codes every step, the log-loss of every feature, Adam at a rate that rises over a few steps and then falls to 0.

The least expected log-loss is that of the true posterior chances, so that what is trained to it and then cut at 1/2 makes the fewest errors a
feature (Gneiting & Raftery 2007, on proper scores). All readers side by side see the same codes, each through its own dictionary, and share
nothing else.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from tegum import draws
from tegum._threads import one_thread
from tegum.checks import check_count
from tegum.features import Distribution
from tegum.learning.reader import Reader
from tegum.shapes import Float, Int

_RISE = 0.05  # of the steps; without it perceptrons of several hidden layers are led astray at first
_PART = 1 << 22  # log-odds held at a time when codes are counted


def train_reader(
    reader: Reader,
    features: Distribution,
    directions: Float[Tensor, "instances features dims"],
    *,
    steps: int,
    batch_size: int = 64,
    rate: float = 1.0,
    seed: int = 0,
    first_step: int = 0,
) -> Float[Tensor, "steps instances"]:
    """Train in place, on one thread; the log-loss of each step, in nats a code.

    `rate` multiplies the rates of the reader. Codes are those of (`seed`, step), steps counted from `first_step`: a training that goes on says
    where it left off. ValueError for codes whose values are not "binary", and for sizes that do not go together.
    """
    check_count("steps", steps)
    check_count("batch_size", batch_size)
    _check(reader, features, directions)
    groups = [{"params": [p], "lr": rate * reader.rates[name.split(".")[0]]} for name, p in reader.named_parameters()]
    optimiser = torch.optim.Adam(groups)
    course = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _share(step, steps))
    losses = []
    with one_thread():
        for step in range(first_step, first_step + steps):
            z = features.sample(batch_size, seed=seed, step=step).dense().to(directions.dtype).expand(len(directions), -1, -1)
            loss = binary_cross_entropy_with_logits(reader(z @ directions), z, reduction="none").sum((1, 2)) / batch_size
            optimiser.zero_grad()
            loss.sum().backward()
            optimiser.step()
            course.step()
            losses.append(loss.detach())
    return torch.stack(losses)


@torch.no_grad()
def count_right(
    reader: Reader, features: Distribution, directions: Float[Tensor, "instances features dims"], samples: int, seed: int = 0
) -> Int[Tensor, " instances"]:
    """Of `samples` codes that no training sees, each reader's own: how many it reads right in every feature."""
    check_count("samples", samples)
    _check(reader, features, directions)
    right = torch.zeros(len(directions), dtype=torch.int64)
    some = max(1, _PART // (len(directions) * features.n_features))
    with one_thread():
        for first in range(0, samples, some):
            size = min(some, samples - first)
            own = [
                features.sample(size, seed=seed, instance=i, step=draws.EVALUATION_STEP, first_sample=first).dense()
                for i in range(len(directions))
            ]
            z = torch.stack(own).to(directions.dtype)
            right += ((reader(z @ directions) > 0) == (z > 0)).all(-1).sum(-1)
    return right


def _share(step: int, steps: int) -> float:
    """Of the rate: by a line up to a share of the steps, by a cosine down from the first."""
    return min(1.0, (step + 1) / (_RISE * steps)) * (1 + math.cos(math.pi * step / steps)) / 2


def _check(reader: Reader, features: Distribution, directions: Tensor) -> None:
    if features.values != "binary":
        raise ValueError(f"values is {features.values!r}; a reader says which features are on, of codes whose values are binary")
    wanted = len(reader.n_dims), reader.n_features, int(reader.n_dims.max())
    if tuple(directions.shape) != wanted or features.n_features != reader.n_features:
        raise ValueError(
            f"the reader takes directions of shape {wanted}; they have {tuple(directions.shape)}, and codes {features.n_features} features"
        )
