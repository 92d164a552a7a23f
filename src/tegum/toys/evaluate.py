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
from tegum.features._events import BLOCK
from tegum.shapes import Float, Int
from tegum.toys.engines import Plan
from tegum.toys.losses.squared_error import SquaredError
from tegum.toys.models import ToyModule

SAMPLES = 1 << 15
_CHUNK = 1 << 18  # numbers that go through the networks at once, for the cache
_TERMS = 1 << 20  # of the closed form, an instance: half a second. Ten features that may all be active, or more of which few are


def final_loss(module: ToyModule, plan: Plan) -> tuple[Float[Tensor, " instances"], Float[Tensor, " instances"], str]:
    """The loss of each instance, its standard error (0 when exact), and which kind it is, in words. All float64, on the CPU.

    The kind is settled distribution by distribution, so that no instance's loss is of another kind for what is trained beside it.
    """
    value, error = torch.empty(plan.instances, dtype=torch.float64), torch.zeros(plan.instances, dtype=torch.float64)
    places: dict[Distribution, list[int]] = {}
    for i, features in enumerate(plan.features):
        places.setdefault(features, []).append(i)
    n_sampled = 0
    for features, where in places.items():
        rows = torch.tensor(where)
        exact = _exact(module, plan, features, rows)
        if exact is None:
            value[rows], error[rows] = _sampled(module, plan, features, rows)
            n_sampled += len(where)
        else:
            value[rows] = exact
    by_samples = f"mean over {SAMPLES:,} common samples"
    if not n_sampled:
        return value, error, "exact expected loss"
    if n_sampled == plan.instances:
        return value, error, by_samples
    return value, error, f"exact expected loss of {plan.instances - n_sampled} instances, {by_samples} of {n_sampled}"


def _exact(module: ToyModule, plan: Plan, features: Distribution, rows: Int[Tensor, " some"]) -> Float[Tensor, " some"] | None:
    exact = plan.model.exact
    if exact is None or not isinstance(plan.loss, SquaredError):
        return None
    W, b = module.directions.detach()[rows].double(), module.bias.detach()[rows].double()
    try:
        if exact == "relu" and _terms(features) > _TERMS:
            return None
        return theory.expected_loss(W, b, features, importance=plan.importance[rows], model=exact)
    except (ValueError, KeyboardInterrupt):  # no closed form for these features, or Ctrl-C: the common set is quicker
        return None


def _terms(features: Distribution) -> int:
    """How many terms the closed form of a rectified model sums; a support of k active features has up to 2^k corners."""
    corners = sum(2 ** len(active) if features.values in ("uniform", "signed") else 1 for active, _ in features.supports())
    return corners * features.n_features


def _sampled(
    module: ToyModule, plan: Plan, features: Distribution, rows: Int[Tensor, " some"]
) -> tuple[Float[Tensor, " some"], Float[Tensor, " some"]]:
    n, zero = plan.model.n_features, torch.zeros(1, dtype=torch.int64)
    total, squares = torch.zeros(len(rows), dtype=torch.float64), torch.zeros(len(rows), dtype=torch.float64)
    together = max(1, _CHUNK // (BLOCK * n))
    state = module.state_dict()
    networks = [(part, plan.model.restored(state, part), plan.importance[part].to(plan.dtype)) for part in rows.split(together)]
    for start in range(0, SAMPLES, BLOCK):
        common = torch.empty(1, BLOCK, n, dtype=plan.dtype)
        fill(common, features, zero, zero, draws.EVALUATION_STEP, start)
        begin = 0
        for part, network, importance in networks:
            x, end = common.expand(len(part), -1, -1), begin + len(part)
            with torch.no_grad():
                each = plan.loss.per_sample(network(x), x, importance).double()
            total[begin:end] += each.sum(1)
            squares[begin:end] += each.square().sum(1)
            begin = end
    mean = total / SAMPLES
    return mean, ((squares / SAMPLES - mean.square()).clamp(min=0) / SAMPLES).sqrt()
