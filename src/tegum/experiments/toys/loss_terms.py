"""What a toy model's loss is made of: the good of representing a feature, the harm of interference, and how many features are on at once.

*Toy Models of Superposition* explains superposition by two decompositions. A linear model's loss is the sum of sum_i I_i (1 - |W_i|^2)^2
(features not represented) and sum_{i != j} I_j (W_j . W_i)^2 (features in each other's way): nothing is to be had by superposition. With a ReLU
the loss splits by how many features are active; when they are sparse, the case of one active feature counts most, and there a negative bias can
make interference free. Here the formulas meet sampled losses, and the one-active integral meets quadrature.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from pydantic import PositiveInt
from scipy import stats
from scipy.integrate import quad_vec

from tegum import figures, theory
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments.toys._training import Density, Training, quick
from tegum.features.bernoulli import Bernoulli
from tegum.features.exactly_k import ExactlyK
from tegum.toys.models.linear_autoencoder import LinearAutoencoder
from tegum.toys.models.relu_output import ReLUOutput
from tegum.toys.train import train

N, M = 8, 3
IMPORTANCE = 0.9 ** np.arange(N)
WEIGHTS = ("linear network", "ReLU network", "random directions")
CASES = {
    "signed": "values of mean zero, b = 0",
    "best bias": "values in [0, 1], best bias",
    "no bias": "values in [0, 1], b = 0",
    "mean added": "values in [0, 1], b = 0, and the mean's term added",
}


class LossTerms(Experiment):
    """n = 8, m = 3: the decompositions of the loss against sampling and quadrature."""

    id = "A3"
    title = "What the loss is made of: benefit, interference, and the number of active features"
    version = 3
    source = "Elhage et al. 2022, 'Mathematical understanding'; Işık, 'Linear Representation Hypothesis & Superposition' (slides)"

    class Params(Training):
        """Densities to train at; samples of each sampled loss."""

        density: tuple[Density, ...] = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
        samples: PositiveInt = 1_000_000

    presets = {"quick": Params(**quick(density=(1.0, 0.3, 0.1, 0.03, 0.01), seeds=4, steps=1_000, samples=200_000)), "paper": Params()}

    def cells(self, params: Params) -> list[Cell]:
        """One a density."""
        return [Cell(density=p) for p in params.density]

    def run(self, cell: Cell, params: Params) -> Row:
        """Train one model of each kind, then compare its formulas with samples and quadrature."""
        p, settings = cell.density, {"importance": IMPORTANCE, "instances": params.seeds, **params.training()}
        features = Bernoulli(n_features=N, density=p)
        linear, relu = (train(kind(n_features=N, n_hidden=M), features, **settings).best() for kind in (LinearAutoencoder, ReLUOutput))
        random = torch.randn(N, M, dtype=torch.float64, generator=torch.Generator().manual_seed(params.seed)) / M**0.5
        W = torch.stack([linear.W.double(), relu.W.double(), random])
        terms, samples = theory.linear_loss_terms(W, IMPORTANCE), _dense(features, params)
        residual, mean = torch.eye(N).double() - W @ W.mT, torch.full((N,), p / 2).double()
        offset = residual @ mean
        weights, v = torch.as_tensor(IMPORTANCE), float(features.variance()[0])
        formulas = {
            "signed": _Formula(p * terms.total, _dense(Bernoulli(n_features=N, density=p, values="signed"), params), 0 * offset),
            "best bias": _Formula(v * terms.total, samples, offset),
            "no bias": _Formula(v * terms.total, samples, 0 * offset),
            "mean added": _Formula(v * terms.total + (weights * offset.square()).sum(-1), samples, 0 * offset),
        }
        compared = [_sampled_ratio(residual, *formula) for formula in formulas.values()]
        one_active = theory.one_active_loss(relu.W, relu.b, IMPORTANCE)
        sampled = (weights * ((samples @ relu.W.double() @ relu.W.double().T + relu.b).relu() - samples).square()).mean(1)
        by_number = _by_number(relu.W, relu.b, p)
        return Row(
            ratio=np.array([ratio for ratio, _ in compared]),
            ratio_se=np.array([se for _, se in compared]),
            benefit=terms.benefit.sum(-1),
            interference=terms.interference.sum(-1),
            relu_benefit=float(one_active.benefit.sum()),
            relu_interference=float(one_active.interference.sum()),
            quadrature_error=abs(float(one_active.total) / _quadrature(relu.W.double().numpy(), relu.b.double().numpy()) - 1),
            by_number=by_number,
            sum_error=abs(float(by_number.sum()) / relu.loss - 1),
            loss_z=(float(sampled.mean()) - relu.loss) / (float(sampled.std()) / len(sampled) ** 0.5),
            W=W,
            b=relu.b,
        )

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """Formulas against samples, sums and integrals."""
        compared = len(rows) * len(WEIGHTS)
        alarm = f"{compared} comparisons of {rows.params.samples:,} samples each; one normal deviate in 16,000 is beyond 4"
        z = np.abs((rows.values("ratio") - 1) / rows.values("ratio_se")).max(axis=(0, 2))
        words = f"the linear decomposition is the sampled loss up to one factor, {{}}: largest deviation in standard errors, {len(rows)} densities"
        for case, largest in zip(CASES, z, strict=True):
            refuted = case == "no bias"
            yield Claim(
                words.format(CASES[case]), float(largest), expected=(None, 4), reason=alarm, on_record="refuted" if refuted else "holds",
                record_reason="the formula leaves out sum_i I_i ((I - W W^T) E x)_i^2, which U[0,1] values, whose mean is not zero, add unless the "
                "bias takes it up; with this term it holds (next claim)" if refuted else "",
            )  # fmt: skip
        yield Claim(
            "the one-active ReLU loss in closed form equals its integral by adaptive quadrature: largest relative difference",
            rows.values("quadrature_error").max(), expected=(None, 1e-6), reason="the figure asked for; both sides carry 1e-9 or better",
        )  # fmt: skip
        yield Claim(
            "the losses with 0, 1, ..., n active features, weighted by how likely each number is, add up to the expected loss: largest relative "
            "difference",
            rows.values("sum_error").max(), expected=(None, 1e-9), reason="rounding in float64",
        )  # fmt: skip
        yield Claim(
            "the ReLU network's exact loss equals its sampled loss: largest deviation in standard errors", np.abs(rows.values("loss_z")).max(),
            expected=(None, 4), reason=f"{len(rows)} comparisons; one normal deviate in 16,000 is beyond 4",
        )  # fmt: skip
        sparse = rows.at(density=min(rows.params.density))
        yield Claim(
            f"at density {sparse.density:g} most of the ReLU network's loss falls on samples with one active feature: share",
            sparse.by_number[1] / sparse.by_number.sum(), expected=(0.5, None), reason="more than half; the share is exact for the trained network",
        )  # fmt: skip
        yield Claim(
            f"at density {sparse.density:g}, with one active feature, the ReLU network suffers less interference than a linear one with its "
            "directions: ratio",
            3 * sparse.relu_interference / sparse.interference[1], expected=(None, 0.5),
            reason="E x^2 = 1/3 for the linear sum; a ReLU with bias 0 would cut what is negative, about half of it, so half is the mark to beat",
        )  # fmt: skip

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """Loss by number active; benefit against interference; the formulas against samples."""
        densities = rows.values("density")
        loss = rows.values("by_number")
        shares = np.column_stack([loss[:, 1:4], loss[:, 4:].sum(1)]) / loss.sum(1, keepdims=True)
        yield figures.lines(
            {"density": np.repeat(densities, 4), "share": shares.reshape(-1), "active": np.tile(["1 active", "2", "3", "4 or more"], len(rows))},
            "density", "share", "active", colour_title="", log_x=True, x_title="density p", y_title="share of the expected loss",
            caption=f"Exact share of the loss that falls on samples with so many active features, for the best of {rows.params.seeds} ReLU "
            f"networks a density with {N} features in {M} dims ({rows.params.how()}). Silence costs nothing: biases are negative where features "
            "are sparse.",
        )  # fmt: skip
        names = [f"{name}, {term}" for name in WEIGHTS[:2] for term in ("benefit", "interference")]
        parts = np.stack([rows.values(term)[:, i] for i in range(2) for term in ("benefit", "interference")], axis=1)
        yield figures.lines(
            {"density": np.repeat(densities, 4), "term": parts.reshape(-1), "which": np.tile(names, len(rows))},
            "density", "term", "which", colour_title="", log_x=True, x_title="density p", y_title="sum over features",
            caption="The two terms of the linear decomposition for the directions that a linear and a ReLU network learnt: sum I (1 - |W|^2)^2 for "
            "features that are not represented ('benefit' forgone) and sum I (W·W)^2 for interference. Superposition would cost a linear network "
            "more than it gives.",
        )  # fmt: skip
        ratio, error = rows.values("ratio")[:, :, 1].reshape(-1), 1.96 * rows.values("ratio_se")[:, :, 1].reshape(-1)
        table = {
            "density": [f"p = {p:g}" for p in densities for _ in CASES],
            "case": list(CASES.values()) * len(rows),
            "ratio": ratio,
            "low": ratio - error,
            "high": ratio + error,
        }
        yield figures.intervals(
            table, "density", "ratio", "low", "high", "case", x_title="sampled loss / formula", y_title="", marks={"equal": 1.0},
            caption="Sampled loss of a linear model with the ReLU network's directions, over its formula, with 95% intervals from "
            f"{rows.params.samples:,} samples. With values in [0, 1] and no bias the formula lacks the term of the mean.",
        )  # fmt: skip


class _Formula(NamedTuple):
    """A closed form (one a set of weights), the samples to hold it against, and the bias it assumes."""

    value: torch.Tensor
    samples: torch.Tensor
    bias: torch.Tensor


def _dense(features: Bernoulli, params: LossTerms.Params) -> torch.Tensor:
    return features.sample(params.samples, seed=params.seed + 1).dense().double()


def _sampled_ratio(residual: torch.Tensor, value: torch.Tensor, samples: torch.Tensor, bias: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Sampled linear loss over the formula, and its standard error, for each set of weights."""
    ratio, error = [], []
    for left, b, expected in zip(residual, bias, value, strict=True):
        each = (torch.as_tensor(IMPORTANCE) * (samples @ left - b).square()).sum(1)
        ratio.append(float(each.mean() / expected))
        error.append(float(each.std() / len(each) ** 0.5 / expected))
    return np.array(ratio), np.array(error)


def _by_number(W: torch.Tensor, b: torch.Tensor, p: float) -> np.ndarray:
    """P(k active) times the expected loss with exactly k active, k = 0..n: mean over features."""
    silent = float(theory.zero_active_loss(b, IMPORTANCE)) / N
    losses = [silent] + [
        float(theory.expected_loss(W, b, ExactlyK(n_features=N, n_active=k, values="uniform"), importance=IMPORTANCE))
        for k in range(1, N + 1)
    ]
    return stats.binom.pmf(np.arange(N + 1), N, p) * np.array(losses)


def _quadrature(W: np.ndarray, b: np.ndarray) -> float:
    """The one-active loss by adaptive quadrature: sum over the active feature i and all outputs j."""
    gains, eye = W @ W.T, np.eye(N)

    def error(x: float) -> float:
        return float((IMPORTANCE * (x * eye - np.maximum(x * gains + b, 0)) ** 2).sum())

    return quad_vec(error, 0, 1, epsabs=1e-12, epsrel=1e-11, limit=20_000)[0]
