"""MeasuredShares: how many codes each decoder of the panel reads from the dims at hand, however it does there."""

from typing import Any, ClassVar

from pydantic import PositiveInt

from tegum.capacity.measured_needs import MeasuredNeeds
from tegum.capacity.panel import PANEL
from tegum.store import Cell, Row


class MeasuredShares(MeasuredNeeds):
    """A count in place of a search."""

    title = "Codes that decoders read from the dims at hand, measured"

    class Params(MeasuredNeeds.Params):
        """The dims, and how many codes."""

        n_dims: PositiveInt = 64
        trials: PositiveInt = 128

    presets: ClassVar = {"quick": Params(), "paper": Params(n_features=(4096,), n_active=(16,), n_dims=128)}

    def run(self, cell: Cell, params: Any) -> Row:
        """The count."""
        setting = self.setting(cell, params)
        decoder = PANEL[cell.decoder](cell.n_features, cell.n_active, params.noise_std)
        return Row(right_at=setting.count(decoder, params.n_dims, 0, params.trials).right, trials_at=params.trials)
