"""Coarse codes: large overlapping fields tell one position best, and many positions worst at a glance.

Each unit says whether a position on the plane lies in its receptive field, a disc. No unit names a place, yet together they do: their circles cut
the plane into regions, and two positions are told apart where a circle runs between them. A line crosses circles n r^(k-1) times a length on k
axes: the accuracy that Hinton, McClelland and Rumelhart promise, found here with its factor. So larger fields are better, up to the size of the
plane itself, beyond which most of a circle lies outside. The inner product of two codes is the lens that two discs share. It falls with distance,
from a corner, to exactly 0 at one diameter.

That is why sums of codes stand for sets. Members more than a diameter apart do not see each other, and one look at the sum reads them all; nearer
ones blur, and random positions crowd as soon as birthdays do. But that is a price of the one look. Solving for the fewest positions that
explain the sum (basis pursuit) reads crowded sets as well, as long as every member has a code that no other place has, and for that large fields
are best. That solving, too, needs members a diameter apart was expected here, and is refuted.

Settled after a first look: which radii and sizes are measured; that most is a half, nearly all nine in ten, and more one set in twenty; that a set
is a crowd from 3 on; and that pairs count as near from two steps of the grid on, since next neighbours make one peak of two places and are read, to
three quarters of a diameter.
"""

import math
from collections.abc import Callable, Iterable
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt

from tegum import figures, theory
from tegum.dictionaries.uniform_sphere import spherical
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments.codes import _circles as circles
from tegum.experiments.codes import _positions as positions
from tegum.experiments.codes._coarse_claims import CROWD, of_inner_products, of_sets, of_the_plane
from tegum.experiments.codes._coarse_figures import pictures_of_the_plane, pictures_of_the_sums

PIXELS = (
    3  # a change of code: then sums over pixels are integrals to 4 / (3 * 2 pi)^3 < 1e-3 of them (Poisson summation of exp(-c distance))
)


class CoarseCodes(Experiment):
    """Regions, errors and inner products over the size of fields; pairs and sets of positions in one sum."""

    id = "B9"
    title = "Coarse codes: large receptive fields cut the plane into small regions, and their codes add up to sets"
    source = "Hinton, McClelland & Rumelhart 1986, 'Distributed representations' (PDP, ch. 3); Gadzinski, 'When Numbers Are Bits'"

    class Params(Experiment.Params):
        """Codes of the plane: `units` and `radii`, `codes` a point, `lines` a code. Sums: a grid of `side`^2 places through `side_units` fields.

        These are of `field_radii`; each of `dictionaries` is asked for `sets` of each of `sizes`, and `solved` of them are solved for.
        """

        units: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=2)] = (16, 32, 64, 128, 256, 512)
        radii: tuple[PositiveFloat, ...] = (0.03, 0.05, 0.08, 0.12, 0.18, 0.25, 0.35, 0.5, 0.7, 1.0)
        codes: Annotated[int, Field(ge=4)] = 64
        lines: PositiveInt = 40
        side: Annotated[int, Field(ge=4)] = 20
        side_units: PositiveInt = 256
        field_radii: Annotated[tuple[PositiveFloat, ...], Field(min_length=2)] = (0.1, 0.2, 0.3)
        sizes: tuple[PositiveInt, ...] = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
        dictionaries: Annotated[int, Field(ge=2)] = 10
        sets: PositiveInt = 32
        solved: PositiveInt = 8

    presets = {
        "quick": Params(
            units=(16, 48, 144), radii=(0.03, 0.06, 0.12, 0.25, 0.5, 1.0), codes=20, side=16, side_units=160,
            sizes=(1, 2, 3, 4, 6, 8, 12, 16), dictionaries=5, sets=20, solved=2,
        ),
        "paper": Params(),
    }  # fmt: skip

    def cells(self, params: Params) -> list[Cell]:
        """Pictures; lines on so many axes; fields of a radius on the plane; inner products, pairs and sets on the grid.

        ValueError where no set is a crowd of 3, or one is larger than the grid.
        """
        if not CROWD <= max(params.sizes) <= params.side**2:
            raise ValueError(f"sizes go up to {max(params.sizes)}; they must reach {CROWD}, and the grid has {params.side**2} places")
        return [
            Cell(part="pictures"),
            *(Cell(part="lines", n_axes=k) for k in (1, 2, 3)),
            *(Cell(part="plane", n_units=n, radius=r) for n in params.units for r in params.radii),
            *(Cell(part=part, radius=r) for part in ("products", "pairs", "sets") for r in params.field_radii),
            Cell(part="random sets"),
        ]

    def run(self, cell: Cell, params: Params) -> Row:
        """One part."""
        parts = {"pictures": _pictures, "lines": _lines, "plane": _plane, "products": _products, "pairs": _pairs}
        return parts.get(cell.part, _sets)(cell, params)

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """The laws of the plane and the best size; inner products; who reads pairs and sets."""
        yield from of_the_plane(rows)
        yield from of_inner_products(rows)
        yield from of_sets(rows)

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """Fields and regions; regions, errors and accuracy over the radius; inner products; a sum read; pairs and sets."""
        yield from pictures_of_the_plane(rows)
        yield from pictures_of_the_sums(rows)


def _pictures(_: Cell, params: CoarseCodes.Params) -> Row:
    """40 fields, small and large, with the errors of reading; and a sum of four codes, read at every place."""
    radii, sizes = np.array([0.07, 0.3]), np.array([0.06, 0.2])
    members = np.array([[0.2, 0.25], [0.3, 0.75], [0.62, 0.5], [0.76, 0.5]])
    centres = [circles.field_centres(40, r, (params.seed, 40)) for r in radii]
    found = [circles.told(some, r, 200) for some, r in zip(centres, radii, strict=True)]
    return Row(
        radii=radii,
        centres=np.stack(centres).astype(np.float32),
        regions=np.array([circles.count(some, r).regions for some, r in zip(centres, radii, strict=True)]),
        error=np.array([each.error for each in found]),
        errors=np.stack([each.errors for each in found]).astype(np.float32),
        members=members,
        sizes=sizes,
        read=np.stack([positions.read_everywhere(members, 96, 600, r, params.seed) for r in sizes]).astype(np.float32),
    )


def _lines(cell: Cell, params: CoarseCodes.Params) -> Row:
    """Changes of code a length, over all lines of a code together: (codes, radii)."""
    n, k = max(params.units), cell.n_axes
    rate = np.empty((params.codes, len(params.radii)))
    for number, place in np.ndindex(*rate.shape):
        r = params.radii[place]
        centres = circles.field_centres(n, r, (params.seed, k, place, number), k)
        start, end = np.random.default_rng((params.seed, k, place, number, 1)).uniform(size=(2, params.lines, k))
        rate[number, place] = circles.changes(centres, r, start, end).sum() / np.linalg.norm(end - start, axis=1).sum()
    return Row(rate=rate)


def _plane(cell: Cell, params: CoarseCodes.Params) -> Row:
    n, r = cell.n_units, cell.radius
    side = max(128, math.ceil(PIXELS * float(theory.code_changes(n, r))))
    codes = [circles.field_centres(n, r, (params.seed, n, round(1e6 * r), number)) for number in range(params.codes)]
    counted = [circles.count(centres, r) for centres in codes]
    told = [circles.told(centres, r, side) for centres in codes]
    return Row(
        side=side,
        joined=np.array([1 + c.crossings + c.at_sides / 2 for c in counted]),
        regions=np.array([c.regions for c in counted]),
        different=np.array([c.codes for c in counted]),
        area=np.array([t.area for t in told]),
        square=np.array([t.square for t in told]),
        error=np.array([t.error for t in told]),
    )


def _products(cell: Cell, params: CoarseCodes.Params) -> Row:
    """Mean and mean square of inner products over the pairs at each distance: (codes, 2, distances)."""
    found = [positions.inner_products(params.side, params.side_units, cell.radius, params.seed + number) for number in range(params.codes)]
    return Row(distance=found[0][0], pairs=found[0][1], moments=np.stack([moments for _, _, moments in found]))


def _pairs(cell: Cell, params: CoarseCodes.Params) -> Row:
    """Pairs of places so many steps apart in a row of the grid, up to two diameters."""
    gaps = np.arange(1, min(params.side, math.ceil(4 * cell.radius * params.side) + 1))

    def drawn(generator: np.random.Generator) -> list[np.ndarray]:
        row, column = generator.integers(params.side, size=(len(gaps), params.sets)), generator.random((len(gaps), params.sets))
        first = row * params.side + np.floor(column * (params.side - gaps)[:, None]).astype(np.int64)
        return list(np.stack([first, first + gaps[:, None]], axis=2))

    return Row(distance=gaps / params.side, **_read(cell.radius, drawn, params))


def _sets(cell: Cell, params: CoarseCodes.Params) -> Row:
    """Sets of random places, those of a size the first of the next."""

    def drawn(generator: np.random.Generator) -> list[np.ndarray]:
        places = np.stack([generator.permutation(params.side**2) for _ in range(params.sets)])
        return [places[:, :k] for k in params.sizes]

    return Row(**_read(cell.radius if cell.part == "sets" else None, drawn, params))


def _read(
    radius: float | None, drawn: Callable[[np.random.Generator], list[np.ndarray]], params: CoarseCodes.Params
) -> dict[str, np.ndarray]:
    """Through fields, or random directions for no radius: of each set, (dictionaries, kinds of sets, sets), whether it was read.

    `look`: by one look; `solve`: the first of them, by solving; `owned`: whether all members have codes of their own; `near`: whether two of
    them are nearer than a diameter; `own`: the share of places with codes of their own, (dictionaries,).
    """
    found: dict[str, list] = {name: [] for name in ("look", "solve", "owned", "near", "own")}
    for number in range(params.dictionaries):
        n, seed = params.side**2, params.seed + number
        if radius is None:
            D = spherical(n, params.side_units, seed, dtype=torch.float64)
        else:
            D = positions.fields_of_length_1(params.side, params.side_units, radius, seed)
        own = positions.own_codes(D)
        sets = drawn(np.random.default_rng((params.seed, number)))
        found["look"].append([positions.read_in_one_look(D, some) for some in sets])
        found["solve"].append(positions.read_by_solving(D, [some[: params.solved] for some in sets]))
        found["owned"].append([own[some].all(axis=1) for some in sets])
        found["near"].append([positions.apart(some, params.side) < 2 * (radius or 0.0) for some in sets])
        found["own"].append(own.mean())
    return {name: np.array(values) for name, values in found.items()}
