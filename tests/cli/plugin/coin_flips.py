"""How often a coin shows heads. An experiment of somebody else's package, found through its entry point; it needs no torch."""

import random
import time
from typing import Annotated

from pydantic import Field, PositiveInt

from tegum.experiments import Cell, Claim, Experiment, Row

Probability = Annotated[float, Field(ge=0, le=1)]


class CoinFlips(Experiment):
    """Counts heads."""

    id = "T1"
    title = "A coin shows heads as often as it should"
    source = "any textbook"

    class Params(Experiment.Params):
        heads: tuple[Probability, ...] = (0.25, 0.5)
        flips: PositiveInt = 400
        claimed: Probability = 0.5
        broken_at: float = -1.0
        seconds: float = 0.0

    presets = {"quick": Params(), "paper": Params(flips=10_000)}

    def cells(self, params):
        return [Cell(heads=p) for p in params.heads]

    def run(self, cell, params):
        if cell.heads == params.broken_at:
            raise RuntimeError("the coin is broken")
        time.sleep(params.seconds)
        draw = random.Random(f"{params.seed} {cell.heads}")
        return Row(share=sum(draw.random() < cell.heads for _ in range(params.flips)) / params.flips, nothing=float("nan"))

    def claims(self, rows):
        share = rows[-1].share
        slack = 4 * (0.25 / rows.params.flips) ** 0.5
        yield Claim("the last coin is what it is claimed to be", share, expected=rows.params.claimed, tolerance=slack, reason="4 SE")
        yield Claim("a coin lands on its edge", False, expected=True, on_record="refuted", record_reason="it never did")
