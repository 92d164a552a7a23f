"""The loss of trained networks: the exact expected loss where a closed form is in reach, else the mean over one common evaluation set.

The common set is drawn by the training's own generator at a step that no training reaches, with the words of seed 0 and instance 0 for
every instance of every run: two networks of one distribution are measured on the same samples, so their difference has far less noise
than either, and no loss depends on what else was trained beside it.
"""

import torch
from torch import Tensor

from tegum import draws, theory
from tegum.features import Distribution
from tegum.features._base import fill
from tegum.shapes import Float
from tegum.toys.engines import Plan
from tegum.toys.losses.squared_error import SquaredError
from tegum.toys.models import ToyModule

SAMPLES = 1 << 15
_CHUNK = 1 << 23  # numbers in a chunk of the evaluation set
_TERMS = 1 << 20  # of the closed form, an instance: half a second. Ten features that may all be active, or more of which few are


def final_loss(module: ToyModule, plan: Plan) -> tuple[Float[Tensor, " instances"], Float[Tensor, " instances"], str]:
    """The loss of each instance, its standard error (0 when exact), and which of the two kinds it is. All float64, on the CPU."""
    exact = _exact(module, plan)
    if exact is not None:
        return exact, torch.zeros_like(exact), "exact expected loss"
    value, error = _sampled(module, plan)
    return value, error, f"mean over {SAMPLES:,} common samples"


def _exact(module: ToyModule, plan: Plan) -> Float[Tensor, " instances"] | None:
    exact = plan.model.exact
    if exact is None or not isinstance(plan.loss, SquaredError):
        return None
    out = torch.empty(plan.instances, dtype=torch.float64)
    try:
        for features in dict.fromkeys(plan.features):
            if exact == "relu" and _terms(features) > _TERMS:
                return None
            rows = torch.tensor([i for i, f in enumerate(plan.features) if f is features])
            W, b = module.directions.detach()[rows].double(), module.bias.detach()[rows].double()
            out[rows] = theory.expected_loss(W, b, features, importance=plan.importance[rows], model=exact)
    except (ValueError, KeyboardInterrupt):  # no closed form for these features, or Ctrl-C: the common set is quicker
        return None
    return out


def _terms(features: Distribution) -> int:
    """How many terms the closed form of a rectified model sums; a support of k active features has up to 2^k corners."""
    corners = sum(2 ** len(active) if features.values in ("uniform", "signed") else 1 for active, _ in features.supports())
    return corners * features.n_features


def _sampled(module: ToyModule, plan: Plan) -> tuple[Float[Tensor, " instances"], Float[Tensor, " instances"]]:
    n = plan.model.n_features
    chunk = max(64, min(SAMPLES, _CHUNK // (n * plan.instances)) // 64 * 64)
    total, squares = torch.zeros(plan.instances, dtype=torch.float64), torch.zeros(plan.instances, dtype=torch.float64)
    x = torch.empty(plan.instances, chunk, n, dtype=plan.dtype)
    zero = torch.zeros(1, dtype=torch.int64)
    for start in range(0, SAMPLES, chunk):
        size = min(chunk, SAMPLES - start)
        for features in dict.fromkeys(plan.features):
            rows = torch.tensor([f is features for f in plan.features])
            common = torch.empty(1, size, n, dtype=plan.dtype)
            fill(common, features, zero, zero, draws.EVALUATION_STEP, start)
            x[rows, :size] = common
        with torch.no_grad():
            each = plan.loss.per_sample(module(x[:, :size]), x[:, :size], plan.importance.to(plan.dtype)).double()
        total += each.sum(1)
        squares += each.square().sum(1)
    mean = total / SAMPLES
    return mean, ((squares / SAMPLES - mean.square()).clamp(min=0) / SAMPLES).sqrt()
