"""MeasuredNeeds: how many dims each decoder of the panel needs, measured: a resumable run of searches, a decoder and a size at a time.

What `tegum capacity --measure` runs and what recoverability maps are made of. It claims nothing: an experiment that does subclasses it.
"""

from collections.abc import Iterable
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from tegum.capacity.laws import LAWS
from tegum.capacity.needs import Need, Rule, measure_need
from tegum.capacity.panel import PANEL
from tegum.capacity.transition import transition
from tegum.capacity.trials import DICTIONARIES, Setting
from tegum.store import Cell, Claim, Experiment, Row, Rows
from tegum.theory import lasso_dims

ANYWHERE = 1.3  # times the dims of l1: where the search of a decoder without a law begins


class MeasuredNeeds(Experiment):
    """One search a decoder, a number of features and a number that is active."""

    title = "Dims that decoders need, measured"

    class Params(Experiment.Params):
        """Sizes, decoders by their names in the panel, noise in each dim, dims near the transition that are looked at besides; the stopping rule."""

        n_features: tuple[Annotated[int, Field(ge=2)], ...] = (1024,)
        n_active: tuple[PositiveInt, ...] = (8,)
        decoders: tuple[str, ...] = tuple(PANEL)
        noise_std: Annotated[float, Field(ge=0)] = 0.0
        dictionary: str = ""
        ladder: tuple[PositiveInt, ...] = ()
        precision: PositiveFloat = Rule.precision
        precision_99: PositiveFloat = Rule.precision_99
        budget: PositiveInt = Rule.budget
        look: PositiveInt = Rule.look
        most_dims: PositiveInt = Rule.most_dims

        @field_validator("decoders")
        @classmethod
        def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
            for name in names:
                if name not in PANEL:
                    raise ValueError(f"there is no decoder {name!r} in the panel; it has {', '.join(PANEL)}")
            return names

        @field_validator("dictionary")
        @classmethod
        def _kind(cls, name: str) -> str:
            if name and name not in DICTIONARIES:
                raise ValueError(f"dictionary is {name!r}; it must be one of {', '.join(DICTIONARIES)}")
            return name

    presets: ClassVar = {"quick": Params(), "paper": Params(n_features=(4096,), n_active=(16,))}

    def cells(self, params: Params) -> list[Cell]:
        """Sizes at which not half of the features are on; the decoder fastest, for what waits for another is spread."""
        found = [
            Cell(n_features=n, n_active=k, decoder=name)
            for n in params.n_features
            for k in params.n_active
            for name in params.decoders
            if 2 * k <= n
        ]
        if not found:
            raise ValueError(f"n_active is {params.n_active}, but n_features {params.n_features}: at most half of them may be on")
        return found

    def run(self, cell: Cell, params: Params) -> Row:
        """The search."""
        setting = self.setting(cell, params)
        rule = Rule(
            precision=params.precision,
            precision_99=params.precision_99,
            budget=params.budget,
            look=params.look,
            most_dims=params.most_dims,
        )
        decoder = PANEL[cell.decoder](cell.n_features, cell.n_active, params.noise_std)
        need = measure_need(setting, decoder, guess(cell, params), rule, ladder=params.ladder)
        return Row(
            dictionary=setting.dictionary, dims=need.dims, right=need.right, trials=need.trials, seconds=need.seconds, stopped=need.stopped
        )

    def setting(self, cell: Cell, params: Params) -> Setting:
        """What is read in a cell."""
        return Setting(
            n_features=cell.n_features, n_active=cell.n_active, noise_std=params.noise_std, dictionary=params.dictionary, seed=params.seed
        )

    def claims(self, rows: Rows) -> Iterable[Claim]:  # noqa: ARG002
        """None."""
        return ()


def need_of(row: Row) -> Need:
    """The search of a saved row."""
    return Need(row.dims, row.right, row.trials, row.seconds, transition(row.dims, row.right, row.trials), row.stopped)


def guess(cell: Cell, params: MeasuredNeeds.Params) -> float:
    """Where to begin: at the law's 50% point, else a little above that of l1."""
    law = LAWS.get(cell.decoder)
    told = float(law.dims(cell.n_features, cell.n_active, 0.5, params.noise_std)) if law else np.nan
    return told if np.isfinite(told) and told >= 1 else max(1.0, ANYWHERE * float(lasso_dims(cell.n_features, cell.n_active)))
