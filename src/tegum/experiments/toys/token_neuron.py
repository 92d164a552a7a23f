"""One neuron, four tokens, cross-entropy: the neuron becomes polysemantic although no superposition is possible.

The argument of Cho 2024 (after Bricken et al. 2023): one neuron between four equiprobable one-hot tokens and their prediction. A neuron that
fires for one token predicts it and leaves a guess among three: 3/4 ln 3 = .824 nats. One that fires for two leaves a guess between two either
way: ln 2 = .693. So the loss prefers a neuron that answers to two unrelated tokens. The argument takes a neuron that fires or does not, and such
a neuron, trained, does what it says. A ReLU neuron also has a *level*: four levels on one line can be told apart by four logits linear in the
level, so it can go below ln 2 and in the limit to 0. The experiment trains both.
"""

from collections.abc import Iterable

import numpy as np
import torch
from pydantic import PositiveFloat, PositiveInt

from tegum import figures, theory
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments._intervals import wilson
from tegum.experiments.toys._training import Training, quick
from tegum.features.one_hot import OneHot
from tegum.toys.models.token_predictor import TokenPredictor, TokenPredictorModule
from tegum.toys.train import train

TOKENS = 4
NEURONS = {"step": "on/off neuron", "relu": "ReLU neuron"}


class TokenNeuron(Experiment):
    """One neuron, four tokens, trained with cross-entropy."""

    id = "A14"
    title = "A polysemantic neuron without superposition: cross-entropy on four tokens"
    version = 3
    source = (
        "Cho 2024, 'Superposition Hypothesis', section 'Cross entropy loss verification'; Bricken et al. 2023, 'Towards Monosemanticity'"
    )

    class Params(Training):
        """How many networks, how long they train, and how many moments of it are kept."""

        seeds: PositiveInt = 100
        steps: PositiveInt = 20_000
        lr: PositiveFloat = 0.01
        record: PositiveInt = 60

    presets = {"quick": Params(**quick(seeds=60, batch_size=64, lr=0.03)), "paper": Params()}

    def cells(self, params: Params) -> list[Cell]:
        """One a kind of neuron: all its networks train side by side."""
        del params
        return [Cell(neuron=neuron) for neuron in NEURONS]

    def run(self, cell: Cell, params: Params) -> Row:
        """Train, and see for which tokens each neuron fires and at which levels."""
        model = TokenPredictor(n_features=TOKENS, n_hidden=1, neuron=cell.neuron)
        trained = train(model, OneHot(n_features=TOKENS), instances=params.seeds, record=params.record, **params.training())
        every, losses, levels = torch.eye(TOKENS), [], []
        for i in range(len(trained)):
            network = trained.module(i)
            assert isinstance(network, TokenPredictorModule)
            with torch.no_grad():
                losses.append(float(torch.nn.functional.cross_entropy(network(every).double(), torch.arange(TOKENS))))
                levels.append(network.neurons(every[None])[0, :, 0])
        level = torch.stack(levels)
        return Row(
            losses=np.array(losses),
            least=np.array([_least_loss(n_on) for n_on in range(TOKENS + 1)]),
            levels=level,
            fires=(level > 0.01 * level.amax(1, keepdim=True).clamp(min=1e-6)).sum(1),
            history_steps=trained.history.steps,
            history_loss=trained.history.loss,
        )

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """The two losses of the argument, and what training does with them."""
        one, two = (float(theory.tokens_on_neuron_loss(TOKENS, k)) for k in (1, 2))
        step, relu = rows.at(neuron="step"), rows.at(neuron="relu")
        minimised = "the model's cross-entropy minimised over its logits by L-BFGS, within 1e-11 of a least that lies at infinity"
        yield Claim(
            "a neuron that fires for one of four tokens costs at least 3/4 ln 3 = .824 nats", step.least[1], expected=one, tolerance=1e-9,
            reason=minimised,
        )  # fmt: skip
        yield Claim(
            "a neuron that fires for two of four tokens costs at least ln 2 = .693 nats", step.least[2], expected=two, tolerance=1e-9,
            reason=minimised,
        )  # fmt: skip
        pairs, pairs_interval = wilson((step.fires == 2).sum(), len(step.fires))
        yield Claim(
            "most trained on/off neurons fire for two tokens: share of networks", pairs, expected=(0.5, None), interval=pairs_interval,
            reason=f"Wilson 95% interval over {len(step.fires)} networks",
        )  # fmt: skip
        yield Claim(
            "the best trained on/off neuron takes the two-token solution: loss in nats", step.losses.min(), expected=two, tolerance=0.02,
            reason=f"a sixth of what separates it from the one-token neuron ({one - two:.3f}), for unfinished training; exact over the four tokens",
        )  # fmt: skip
        several, several_interval = wilson((relu.fires >= 2).sum(), len(relu.fires))
        yield Claim(
            "most trained ReLU neurons are polysemantic, firing for two tokens or more: share of networks", several, expected=(0.5, None),
            interval=several_interval, reason=f"Wilson 95% interval over {len(relu.fires)} networks",
        )  # fmt: skip
        yield Claim(
            "the best trained ReLU neuron takes the two-token solution: loss in nats", relu.losses.min(), expected=two, tolerance=0.02,
            reason="as for the on/off neuron", on_record="refuted",
            record_reason="a ReLU neuron has a level, not only an on and an off: trained networks set four different levels and tell the tokens "
            "apart by logits linear in the level, far below ln 2. The neuron is polysemantic, as the source says, but more so than its "
            "two-token solution.",
        )  # fmt: skip

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """Loss over training; the levels that the best neurons give each token."""
        levels = {
            "one token: 3/4 ln 3": float(theory.tokens_on_neuron_loss(TOKENS, 1)),
            "two tokens: ln 2": float(theory.tokens_on_neuron_loss(TOKENS, 2)),
        }
        steps = rows[0].history_steps
        table = {"step": np.tile(steps[1:], 4), "loss": [], "network": []}
        for row in rows:
            for name, quantile in (("best", 0), ("median", 0.5)):
                table["loss"] += np.quantile(row.history_loss, quantile, axis=1)[1:].tolist()
                table["network"] += [f"{NEURONS[row.neuron]}, {name}"] * len(steps[1:])
        yield figures.lines(
            table, "step", "loss", "network", colour_title="", log_x=True, y_title="cross-entropy, nats", levels=levels,
            caption=f"Loss of {rows.params.seeds} networks of each kind ({rows.params.how()}): the least and the median at each recorded step, on "
            "the batch.",
        )  # fmt: skip
        for row in rows:
            order = np.argsort(row.losses)[:6]
            shown = np.sort(row.levels[order] / np.maximum(row.levels[order].max(1, keepdims=True), 1e-9), axis=1)
            yield figures.bars(
                {
                    "network": np.repeat([f"{i + 1}: {row.losses[j]:.3f} nats" for i, j in enumerate(order)], TOKENS),
                    "level": shown.reshape(-1),
                    "token": ["token of the lowest level", "second", "third", "highest"] * len(order),
                },
                "network", "level", "token", x_title="neuron's level, share of its largest", y_title="",
                caption=f"What the {NEURONS[row.neuron]} says to each token, in the six networks of least loss of {rows.params.seeds}. Levels that "
                "differ can be told apart.",
            )  # fmt: skip


def _least_loss(n_on: int) -> float:
    """Cross-entropy in nats of an on/off neuron that fires for the first `n_on` tokens, with the logits that are best for it: a convex problem."""
    network = TokenPredictor(n_features=TOKENS, n_hidden=1, neuron="step").build(1, seed=0).double()
    assert isinstance(network, TokenPredictorModule)
    every, tokens = torch.eye(TOKENS, dtype=torch.float64)[None], torch.arange(TOKENS)
    with torch.no_grad():
        network.W[0, :, 0] = torch.where(tokens < n_on, 1.0, -1.0)
        network.c.zero_()
    search = torch.optim.LBFGS(
        [network.U, network.b], max_iter=1000, tolerance_grad=1e-9, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        search.zero_grad()
        value = torch.nn.functional.cross_entropy(network(every)[0], tokens)
        value.backward()
        return value

    with torch.enable_grad():
        search.step(loss)
        return loss().item()
