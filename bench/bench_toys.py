"""The reference toy engine against the loop of the paper's notebook, on the same model, batch size and number of steps.

The notebook (Elhage et al. 2022, "Toy Models of Superposition", toy_models.ipynb) trains all instances at once: einsum over
`...if,ifh->...ih`, two `torch.rand` of (batch, instances, features) a step, AdamW, float32. Its progress bar is left out here.
"""

import torch

import tegum
from bench.interleave import Result, Side, interleave
from bench.limits import gemm_seconds

FEATURES, HIDDEN, DENSITY, INSTANCES, BATCH, STEPS = 5, 2, 0.1, 10, 1024, 500


def contest() -> Result:
    """Seconds for 500 steps of ten instances of five features in two dimensions."""
    work = f"{STEPS} steps, {INSTANCES} instances of n={FEATURES} m={HIDDEN}, batch {BATCH}, density {DENSITY}, float32"
    products = 6 * 2 * INSTANCES * BATCH * FEATURES * HIDDEN * STEPS  # forward: x W, h W^T; backward: two for each
    limit = "its six matrix products at the rate of a large one", gemm_seconds(products)
    return interleave("toys-reference", work, Side("tegum, engine reference", _tegum), Side("the notebook's loop", _notebook), limit=limit)


def _tegum() -> object:
    return tegum.train(
        tegum.toys.ReLUOutput(n_features=FEATURES, n_hidden=HIDDEN),
        tegum.features.Bernoulli(n_features=FEATURES, density=DENSITY),
        instances=INSTANCES,
        steps=STEPS,
        batch_size=BATCH,
        seed=0,
    )


def _notebook() -> torch.Tensor:
    shape = (BATCH, INSTANCES, FEATURES)
    weights = torch.nn.Parameter(torch.nn.init.xavier_normal_(torch.empty(INSTANCES, FEATURES, HIDDEN)))
    bias = torch.nn.Parameter(torch.zeros(INSTANCES, FEATURES))
    importance = torch.ones(())
    optimizer = torch.optim.AdamW([weights, bias], lr=1e-3)
    for _ in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        batch = torch.where(torch.rand(shape) <= DENSITY, torch.rand(shape), torch.zeros(()))
        hidden = torch.einsum("...if,ifh->...ih", batch, weights)
        out = torch.relu(torch.einsum("...ih,ifh->...if", hidden, weights) + bias)
        loss = (importance * (batch.abs() - out) ** 2).mean(dim=(0, 2)).sum()
        loss.backward()
        optimizer.step()
    return weights
