"""The Thomson problem: features that are seldom on spread over a sphere much as electrons do, but not quite.

Unit norms, no bias, one active feature: what is left of the loss is a third of relu(u_i . u_j)^2, summed over i != j (`theory.interference_loss`).
Its minimisers are sought for n = 2 ... 12 directions in 2 and 3 dims, and beside them those of the Coulomb energy, the Thomson problem, whose least
energies are published. Two configurations are compared by what rotation and order do not change, the sorted eigenvalues and entries of their Gram
matrices.

Where the two part ways has a reason. Interference is 0 for up to 2m directions in m dims, so below that every configuration without an acute angle is
as good as Thomson's. And interference between two features on one direction is finite where the Coulomb energy is not: on a circle its fifth harmonic
is the first to be negative (`theory.ring_harmonic`), so from 7 features on they share the five corners of a pentagon, bent to fit.

Settled after a first look at 100 starts each: up to which n the two agree, and that what the rest do is called 'stacked' (two on one direction) or
'other proportions' (none, and the cosines within .1 of Thomson's in root mean square, the tolerance by which `geometry.polytopes` names a shape).
"""

from collections.abc import Callable, Iterable
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from tegum import draws, figures, theory
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.geometry.catalogue import signature

DIMS = (2, 3)
AGREE = {2: 6, 3: 7}  # up to how many features Thomson's configuration is a minimiser of interference
FINISHED = 6  # starts that BFGS takes to rounding
SAME_LOSS, SAME_ENERGY = 1e-8, 1e-8
SAME_SHAPE, LIKE = 1e-3, 0.1  # of cosines, root mean square: one shape; one kind of shape
ONE_DIRECTION = 1 - 1e-4  # cosine of two features that are stacked


class ThomsonProblem(Experiment):
    """n directions in m dims, two energies."""

    id = "A8"
    title = "The Thomson problem: directions of least interference against electrons on a sphere"
    version = 2
    source = "Elhage et al. 2022, 'The geometry of superposition'; Erber & Hockney 1991 for the least energies"

    class Params(Experiment.Params):
        """How many features, and from how many random starts how many steps of descent."""

        n_features: tuple[Annotated[int, Field(ge=2, le=12)], ...] = tuple(range(2, 13))
        starts: PositiveInt = 600
        steps: PositiveInt = 500

    presets = {"quick": Params(starts=200, steps=400), "paper": Params()}

    def cells(self, params: Params) -> list[Cell]:
        """One a number of dims and of features."""
        return [Cell(n_dims=m, n=n) for m in DIMS for n in dict.fromkeys(params.n_features)]

    def run(self, cell: Cell, params: Params) -> Row:
        """The minimisers of both energies, and how they differ."""
        ours, losses, share = _minima(theory.interference_loss, cell, params)
        electrons, energies, _ = _minima(theory.coulomb_energy, cell, params)
        alike = losses < losses[0] + SAME_LOSS
        return Row(
            U=ours[0],
            electrons=electrons[0],
            loss=losses[0],
            loss_of_electrons=theory.interference_loss(electrons[0]),
            energy=energies[0],
            spread=max(apart(U, ours[0]) for U in ours[alike]),
            distance=apart(ours[0], electrons[0]),
            directions=len(set(_stacks(ours[0]).argmax(-1).tolist())),
            share_at_best=share,
        )

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """The published energies; where the two agree, where they part, and into what."""
        space, most = rows.where(n_dims=3), max(rows.params.n_features)
        yield Claim(
            f"the least Coulomb energies on a sphere are the published ones, 2 to {most} electrons: largest deviation",
            max(abs(row.energy - theory.THOMSON_ENERGY[row.n]) for row in space), expected=0, tolerance=SAME_ENERGY, source="Erber & Hockney 1991",
            reason="they are printed with 9 decimals: 10 units of the last",
        )  # fmt: skip
        yield Claim(
            "the least Coulomb energies on a circle are those of regular polygons: largest relative deviation",
            max(abs(row.energy / theory.ring_energy(row.n) - 1) for row in rows.where(n_dims=2)), expected=0, tolerance=1e-9,
            reason="rounding of a minimum: slopes below 1e-9",
        )  # fmt: skip
        for m in DIMS:
            yield from _agreement(rows.where(n_dims=m), m)
        yield from _how_many(rows)
        yield from _beyond(rows)

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """The least loss and that of Thomson's configurations; the excess of these; the minimisers."""
        starts = f"the least of {rows.params.starts:,} random starts"
        table = [{"n": row.n, "loss": row.loss, "dims": f"{row.n_dims} dims, least"} for row in rows]
        curves = {}
        for m in DIMS:
            found = rows.where(n_dims=m)
            order = np.argsort(found.values("n"))
            curves[f"{m} dims, Thomson's"] = (found.values("n")[order], found.values("loss_of_electrons")[order])
        yield figures.lines(
            table, "n", "loss", "dims", colour_title="", x_title="features n", y_title="interference: relu(cos)<sup>2</sup> / 3 in sum",
            curves=curves,
            caption=f"One-active loss of n unit directions without bias, {starts}, and of the configurations of least Coulomb energy. It is 0 for up "
            f"to twice as many features as dims. Of the starts at least {rows.values('share_at_best').min():.1%} came to the least.",
        )  # fmt: skip
        parted = sorted(
            (row for row in rows if row.n > 2 * row.n_dims and relation(row) != "the same"), key=lambda row: (row.n_dims, row.n)
        )
        if parted:
            yield figures.bars(
                {
                    "case": [f"{row.n} in {row.n_dims} dims: {_told(row)}" for row in parted],
                    "excess": [100 * (row.loss_of_electrons / row.loss - 1) for row in parted],
                },
                "case", "excess", log_x=True, x_title="excess of Thomson's configuration, %", y_title="features: what has least interference",
                caption=f"How much more interference the configuration of least Coulomb energy has than the one with the least ({starts}), where "
                "they differ. 'Other proportions': the same kind of shape, drawn out or flattened.",
            )  # fmt: skip
        for m, least, draw in ((2, 5, figures.directions_2d), (3, 7, figures.directions_3d)):
            shown = sorted((row for row in rows.where(n_dims=m) if row.n >= least), key=lambda row: row.n)
            if shown:
                most = max(row.n for row in shown)
                pads = [(0, most - row.n) for row in shown]
                yield draw(
                    np.stack([np.pad(row.U, (pad, (0, 0))) for row, pad in zip(shown, pads, strict=True)]),
                    np.stack([np.pad(_stacks(row.U).sum(-1), pad, constant_values=1) for row, pad in zip(shown, pads, strict=True)]),
                    [f"{row.n}: {_told(row) if m == 2 else relation(row)}" for row in shown], colour_title="features on it",
                    caption=f"Directions of least interference in {m} dims ({starts}), coloured by how many features share each. Above each: the "
                    f"number of features, and {'what they form' if m == 2 else 'how they compare with the Thomson configuration'}.",
                )  # fmt: skip


def relation(row: Row) -> str:
    """How the minimiser of interference relates to Thomson's configuration."""
    if row.loss_of_electrons - row.loss < SAME_LOSS:
        return "one of many" if row.spread > 10 * SAME_SHAPE else "the same"
    if row.directions < row.n:
        return "stacked"
    return "other proportions" if row.distance < LIKE else "another shape"


def apart(U: Tensor, V: Tensor) -> float:
    """A lower bound of the root mean square difference of cosines of U and any turned and reordered copy of V, as in `geometry.catalogue`."""
    (spectrum, cosines), (others, their_cosines) = signature(U), signature(V)
    pairs = max(1, len(cosines))
    return float(torch.maximum((spectrum - others).square().sum() / (2 * pairs), (cosines - their_cosines).square().sum() / pairs).sqrt())


def _agreement(rows: Rows, m: int) -> Iterable[Claim]:
    excess = {row.n: row.loss_of_electrons - row.loss for row in rows}
    few, many = [value for n, value in excess.items() if n <= AGREE[m]], [value for n, value in excess.items() if n > AGREE[m]]
    if few:
        yield Claim(
            f"in {m} dims, up to {AGREE[m]} features, Thomson's configuration has the least interference: largest excess", max(few), expected=0,
            tolerance=SAME_LOSS, reason="rounding of two minima; at its minimum an energy is flat, so a configuration is known to half the digits",
        )  # fmt: skip
    if many:
        yield Claim(
            f"in {m} dims, from {AGREE[m] + 1} features on, it has not: least excess", min(many), expected=(100 * SAME_LOSS, None),
            reason="a hundred times what rounding may leave",
        )  # fmt: skip
    if 2 * m in excess:
        yield Claim(
            f"{2 * m} features in {m} dims have no interference: least loss", rows.at(n=2 * m).loss, expected=0, tolerance=1e-10,
            source="Rankin 1955", reason="rounding of a minimum",
        )  # fmt: skip
    if 2 * m + 1 in excess:
        yield Claim(
            f"one more feature, {2 * m + 1} in {m} dims, costs what a pentagon does, 10/3 cos^2 72: least loss", rows.at(n=2 * m + 1).loss,
            expected=10 / 3 * np.cos(np.radians(72)) ** 2, tolerance=SAME_LOSS, reason="rounding of a minimum",
        )  # fmt: skip


def _how_many(rows: Rows) -> Iterable[Claim]:
    """Whether there is one configuration of least interference or many."""
    reason = f"over the {FINISHED} best of {rows.params.starts:,} starts, as far as they have the least loss"
    few = [row.spread for row in rows if row.n < 2 * row.n_dims]
    alone = [row.spread for row in rows if row.n - 2 * row.n_dims in (0, 1)]
    if few:
        yield Claim(
            "fewer than 2m directions have many configurations without interference: least root mean square difference of cosines between minima",
            min(few), expected=(10 * SAME_SHAPE, None), reason=reason,
        )  # fmt: skip
    if alone:
        yield Claim(
            "2m and 2m + 1 directions have one alone: largest root mean square difference of cosines between minima", max(alone),
            expected=(0, SAME_SHAPE), reason=reason,
        )  # fmt: skip


def _beyond(rows: Rows) -> Iterable[Claim]:
    """What the configurations are that differ from Thomson's."""
    kept = [row.distance for row in rows if row.n_dims == 3 and 8 <= row.n <= 10]
    if kept:
        yield Claim(
            "in 3 dims 8 to 10 features keep the kind of Thomson's shape, in other proportions: largest root mean square difference of cosines",
            max(kept), expected=(SAME_SHAPE, LIKE),
            reason=f"within {LIKE:g} `geometry.polytopes` calls two shapes by one name; above {SAME_SHAPE:g} they are not one and the same",
        )  # fmt: skip
    for m, first, directions in ((2, 7, 5), (3, 11, 9)):
        alone = [row for row in rows.where(n_dims=m) if 2 * m <= row.n < first]
        shared = [row for row in rows.where(n_dims=m) if row.n >= first]
        if alone and shared:
            yield Claim(
                f"in {m} dims up to {first - 1} features have a direction each, more of them share {directions}: share of cases where this is so",
                float(np.mean([row.directions == (directions if row.n >= first else row.n) for row in alone + shared])), expected=1,
                reason=f"{len(alone + shared)} numbers of features, from 2m up; a cosine above {ONE_DIRECTION:g} is one direction",
            )  # fmt: skip


def _told(row: Row) -> str:
    """What the minimiser of interference is, where it is not one of many."""
    how = relation(row)
    if how == "stacked":
        return f"{row.directions} directions"
    shape = {5: "pentagon", 6: "hexagon"}.get(row.n, "") if row.n_dims == 2 else theory.THOMSON_SHAPE[row.n]
    return shape if how == "the same" else f"{shape}, {how}".removeprefix(", ")


def _stacks(U: Tensor | np.ndarray) -> np.ndarray:
    """Which features share a direction, (features, features)."""
    directions = np.asarray(U)
    return directions @ directions.T > ONE_DIRECTION


def _minima(energy: Callable[[Tensor], Tensor], cell: Cell, params: ThomsonProblem.Params) -> tuple[Tensor, Tensor, float]:
    """The best few configurations, best first, and their energies; and what share of the starts had come to the best before they were finished."""
    n, m = cell.n, cell.n_dims
    V = draws.normals(params.seed, draws.DIRECTIONS, torch.arange(params.starts), n * m, step=n).unflatten(1, (n, m))
    with torch.enable_grad():
        V = torch.nn.functional.normalize(V, dim=-1).requires_grad_()
        optimizer = torch.optim.Adam([V], lr=0.05)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, params.steps)
        for _ in range(params.steps):
            optimizer.zero_grad()
            energy(torch.nn.functional.normalize(V, dim=-1)).sum().backward()
            optimizer.step()
            schedule.step()
    U = torch.nn.functional.normalize(V.detach(), dim=-1)
    begun = energy(U)
    ends = [_finished(energy, U[i]) for i in begun.argsort(stable=True)[:FINISHED]]
    ends.sort(key=lambda end: end[1])
    best = ends[0][1]
    share = float((begun < best + 1e-4 * max(1.0, best)).double().mean())
    return torch.stack([U for U, _ in ends]), torch.tensor([value for _, value in ends], dtype=torch.float64), share


def _finished(energy: Callable[[Tensor], Tensor], U: Tensor) -> tuple[Tensor, float]:
    """BFGS to rounding error."""
    from scipy.optimize import minimize

    def value_and_slope(point: np.ndarray) -> tuple[float, np.ndarray]:
        with torch.enable_grad():
            x = torch.from_numpy(point).clone().requires_grad_()
            value = energy(torch.nn.functional.normalize(x.reshape(U.shape), dim=-1))
            (slope,) = torch.autograd.grad(value, x)
        return value.item(), slope.numpy()

    end = minimize(value_and_slope, U.flatten().numpy(), jac=True, method="BFGS", options={"gtol": 1e-11, "maxiter": 3000})
    return torch.nn.functional.normalize(torch.from_numpy(end.x).reshape(U.shape), dim=-1), float(end.fun)
