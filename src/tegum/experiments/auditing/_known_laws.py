"""Data of which it is known whether they are in superposition: laws of C4."""

import torch
from torch import Tensor

from tegum.dictionaries import spherical
from tegum.features import Bernoulli, ExactlyK, Zipf
from tegum.shapes import Float

ELLIPTICAL = "Gaussian", "Student t, 3 degrees"
COMPLETE, OVERCOMPLETE = "complete", "overcomplete"
# complete bases all the same, but not the null that the test is calibrated for
CONTAMINATED = "complete, exactly k on", "complete, a scale a row", "complete, Zipf rates", "complete, noise .02", "complete, noise .1"
# a null however much noise there is, of which the whitening turns nothing
NOISY = "complete, at right angles, noise .1"
_FALL = 0.7  # of Zipf's rates
SLIGHT = ("a quarter overcomplete",)
LAWS = *ELLIPTICAL, COMPLETE, OVERCOMPLETE, *CONTAMINATED, *SLIGHT, NOISY


def known(law: str, values: str, n_dims: int, n_active: int, n_samples: int, seed: int) -> Float[Tensor, "rows dims"]:
    """Rows of a law, with directions (or a covariance) of their own for every seed."""
    generator = torch.Generator().manual_seed(seed)
    if law in ELLIPTICAL:
        x = torch.randn(n_samples, n_dims, generator=generator)
        if law != ELLIPTICAL[0]:
            x = x / (torch.randn(n_samples, 3, generator=generator).square().sum(1, keepdim=True) / 3).sqrt()
        return x @ torch.randn(n_dims, n_dims, generator=generator)
    n = {OVERCOMPLETE: 2 * n_dims, SLIGHT[0]: n_dims + n_dims // 4}.get(law, n_dims)
    if law == "complete, exactly k on":
        features = ExactlyK(n_features=n, n_active=n_active, values=values)
    elif law == "complete, Zipf rates":
        total = sum((i + 1) ** -_FALL for i in range(n))
        features = Zipf(n_features=n, density=min(1.0, n_active / total), exponent=_FALL, values=values)
    else:
        features = Bernoulli(n_features=n, density=n_active / n, values=values)
    z = features.sample(n_samples, seed=seed).dense()
    if law == "complete, a scale a row":
        z = z * torch.randn(n_samples, 1, generator=generator).exp()
    directions = spherical(n, n_dims, seed=seed).dense()
    x = z @ (torch.linalg.qr(directions).Q if law == NOISY else directions)
    noise = float(law.rpartition("noise ")[2]) if "noise" in law else 0.0
    return x + noise * torch.randn(x.shape, generator=generator)
