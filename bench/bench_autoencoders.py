"""Training of a TopK autoencoder, a step of 1,024 samples at a time, against the trainers of SAELens and sparsify.

All begin with the same weights, see the same batches at the same constant rate, and revive nothing; SAELens clips gradients and leaves its
directions any length, sparsify and tegum keep them at 1. SAELens takes part twice, with its codes dense and as sparse tensors; the quicker one
counts. Sides take turns, some steps at a time; each one's error on samples that none has seen stands beside its time. The limit is the encoder's
product at the rate of a large one, and the bytes that Adam reads and writes at the rate of filling memory.
"""

import contextlib
import datetime as dt
import importlib.util
import json
import os
import statistics
import sys
import types
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path

import torch
from torch import Tensor

import tegum
from bench.interleave import RESULTS, Side, in_turn, machine_line
from bench.limits import gemm_seconds, write_seconds
from tegum.activations import load
from tegum.learning import TopKSAE
from tegum.learning._training_run import Plan, TrainingRun

DIMS, FEATURES, ACTIVE, BATCH, LR = 512, 4096, 32, 1024, 4e-4
ROUNDS, STEPS, BATCHES = 21, 10, 240
Weights = dict[str, Tensor]
Step = Callable[[Tensor], object]


@dataclass(frozen=True)
class Line:
    """Seconds a step in each round, ours and the peer's, and the errors of both on samples not seen, as shares of the variance."""

    peer: str
    threads: int
    seconds: tuple[float, ...]
    peer_seconds: tuple[float, ...]
    error: float
    peer_error: float

    @property
    def ratios(self) -> tuple[float, ...]:
        """How many times as fast tegum is, round by round."""
        return tuple(theirs / ours for ours, theirs in zip(self.seconds, self.peer_seconds, strict=True))

    def __str__(self) -> str:
        ratio = f"{statistics.median(self.ratios):5.2f}x ({min(self.ratios):.2f}-{max(self.ratios):.2f})"
        ours, theirs = (statistics.median(s) * 1e3 for s in (self.seconds, self.peer_seconds))
        errors = f"error left {self.error:.4f} against {self.peer_error:.4f}"
        return f"  {self.peer:24} {self.threads} thread{'s'[: self.threads > 1]:1} {ours:7.1f} ms {theirs:7.1f} ms {ratio:22} {errors}"


@dataclass(frozen=True)
class Table:
    """All lines, and the limit a step in seconds by number of threads."""

    lines: tuple[Line, ...]
    product: dict[int, float]
    adam: dict[int, float]
    machine: str

    def __str__(self) -> str:
        head = f"autoencoders: a step of {BATCH:,} samples, TopK, d = {DIMS}, {FEATURES:,} features, {ACTIVE} on, float32; median of {ROUNDS} rounds"
        limits = []
        for threads, product in self.product.items():
            ours = statistics.median(s for line in self.lines if line.threads == threads for s in line.seconds)
            adam = self.adam[threads]
            told = f"{product * 1e3:.1f} ms product, {adam * 1e3:.1f} ms Adam: {(product + adam) / ours:.0%} of ours"
            limits.append(f"  limit, {threads} thread{'s'[: threads > 1]}: {told}")
        return "\n".join([head, *map(str, self.lines), *limits])

    def save(self, folder: Path = RESULTS) -> Path:
        """Write `<date>-autoencoders.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{dt.datetime.now(dt.UTC):%Y-%m-%d}-autoencoders.json"
        lines = [asdict(line) | {"ratio": statistics.median(line.ratios)} for line in self.lines]
        rest = {"product_seconds": self.product, "adam_seconds": self.adam}
        file.write_text(json.dumps({"name": "autoencoders", "machine": self.machine, "lines": lines} | rest, indent=1) + "\n")
        return file


def contest() -> Table:
    """Races on one thread and on all."""
    machine = machine_line()
    lines, product, adam = [], {}, {}
    for threads in sorted({1, os.cpu_count() or 1}):
        torch.set_num_threads(threads)
        lines += race(threads)
        product[threads] = gemm_seconds(2 * BATCH * FEATURES * DIMS)
        adam[threads] = write_seconds(2 * FEATURES * DIMS * 6 * 4)
    return Table(tuple(lines), product, adam, machine)


def race(threads: int) -> list[Line]:
    """Ours against each peer, all in turn."""
    x = samples((BATCHES + 4) * BATCH)
    seen, fresh = x[: BATCHES * BATCH], x[BATCHES * BATCH :]
    run, step = ours(seen)
    began = {name: value.clone() for name, value in run.steppers[0].weights.items()}
    peers = {"SAELens": saelens(began, sparse=False), "SAELens, sparse codes": saelens(began, sparse=True), "sparsify": sparsify(began)}
    scaled = seen * run.factor
    sides = [Side(name, turn(one, scaled)) for name, one in {"tegum": step, **{name: one for name, (one, _) in peers.items()}}.items()]
    seconds = [tuple(s / STEPS for s in side) for side in in_turn(sides, ROUNDS)]
    error = left(run.steppers[0].architecture, run.steppers[0].weights, fresh * run.factor)
    return [
        Line(name, threads, seconds[0], theirs, error, left(run.steppers[0].architecture, weights(), fresh * run.factor))
        for (name, (_, weights)), theirs in zip(peers.items(), seconds[1:], strict=True)
    ]


def samples(count: int) -> Tensor:
    """Sums of some 32 of 8,192 directions, of features whose frequencies fall as the root of their rank."""
    features = tegum.features.Zipf(n_features=8192, density=0.18, exponent=0.5, values="uniform")
    return tegum.dictionaries.spherical(8192, DIMS, seed=1).encode(features.sample(count, seed=0))


def turn(step: Step, x: Tensor) -> Callable[[], None]:
    """The next steps of a side, each time it is called."""
    batches = cycle(x.split(BATCH))

    def run() -> None:
        for _ in range(STEPS):
            step(next(batches))

    return run


def left(architecture: TopKSAE, weights: Weights, x: Tensor) -> float:
    """The squared error over the variance."""
    with torch.no_grad():
        y = architecture.decode(weights, architecture.encode(weights, x))
    return float((x - y).square().sum() / (x - x.mean(0)).square().sum())


def ours(x: Tensor) -> tuple[TrainingRun, Step]:
    """A training as `fit` makes it, at a constant rate."""
    plan = Plan(
        samples=10**9, batch_size=BATCH, lr=LR, seed=0, held_out=0, warm_up=0, cool_down=0, silent_after=10**9, scale=True, engine="auto"
    )
    rows = load(x)
    run = TrainingRun([TopKSAE(n_features=FEATURES, n_active=ACTIVE)], rows, rows.select(slice(0, 0)), plan, torch.device("cpu"))
    return run, run.take


def saelens(began: Weights, *, sparse: bool) -> tuple[Step, Callable[[], Weights]]:
    """SAELens' trainer, a batch at a time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sae_lens.config import SAETrainerConfig
        from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
        from sae_lens.training.sae_trainer import SAETrainer

        sae = TopKTrainingSAE(
            TopKTrainingSAEConfig(
                d_in=DIMS, d_sae=FEATURES, k=ACTIVE, use_sparse_activations=sparse, rescale_acts_by_decoder_norm=not sparse
            )
        )
    sae.load_state_dict({"W_enc": began["encoder"].T, "W_dec": began["decoder"], "b_enc": began["b_enc"], "b_dec": began["b_dec"]})
    trainer = SAETrainer(SAETrainerConfig(total_training_samples=10**9, train_batch_size_samples=BATCH, lr=LR, lr_end=LR), sae, iter(()))

    def weights() -> Weights:
        lengths = torch.ones(FEATURES) if sparse else sae.W_dec.detach().norm(dim=1)
        return {
            "encoder": sae.W_enc.detach().T * lengths[:, None],
            "decoder": sae.W_dec.detach() / lengths[:, None],
            "b_enc": sae.b_enc.detach() * lengths,
            "b_dec": sae.b_dec.detach(),
        }

    def step(x: Tensor) -> None:
        trainer.step(x)
        trainer.n_training_steps += 1

    return step, weights


def sparsify(began: Weights) -> tuple[Step, Callable[[], Weights]]:
    """sparsify's coder and its trainer's steps with Adam: unit directions, forward, backward, gradients across them, Adam.

    Two modules that it imports for other work are stood in for where they are missing.
    """
    for name, what in (("natsort", "natsorted"), ("schedulefree", "ScheduleFreeWrapper")):
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            sys.modules[name] = types.ModuleType(name)
            setattr(sys.modules[name], what, None)
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):  # it says that there is no triton
        warnings.simplefilter("ignore")
        from sparsify.config import SparseCoderConfig
        from sparsify.sparse_coder import SparseCoder

    coder = SparseCoder(DIMS, SparseCoderConfig(num_latents=FEATURES, k=ACTIVE))
    coder.load_state_dict(
        {"encoder.weight": began["encoder"], "encoder.bias": began["b_enc"], "W_dec": began["decoder"], "b_dec": began["b_dec"]}
    )
    adam = torch.optim.Adam(coder.parameters(), lr=LR)

    def step(x: Tensor) -> None:
        coder.set_decoder_norm_to_unit_norm()
        coder(x).fvu.backward()
        coder.remove_gradient_parallel_to_decoder_directions()
        adam.step()
        adam.zero_grad()

    def weights() -> Weights:
        coder.set_decoder_norm_to_unit_norm()
        names = {"encoder": "encoder.weight", "b_enc": "encoder.bias", "decoder": "W_dec", "b_dec": "b_dec"}
        return {ours: coder.state_dict()[theirs].detach() for ours, theirs in names.items()}

    return step, weights
