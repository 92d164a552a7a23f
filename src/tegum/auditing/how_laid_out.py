"""How is it laid out? The layer's basis and its dims; of a dictionary, how its directions share them; of its codes, who is on, and with whom.

Source: Elhage, Lasenby & Olah 2023 (basis); Elhage et al. 2022, 'Toy models of superposition' (feature dimensionality, antipodal pairs); Bricken et
al. 2023 (density of features); the parts' own files say the rest.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tegum.activations import Activations
from tegum.auditing import _layout_figures
from tegum.auditing._answer import Answer, Finding
from tegum.auditing._hold_babel import largest_others, one_table
from tegum.auditing._layout_basis import BasisTest, Turned, privileged_basis
from tegum.auditing._layout_meetings import Codes, Meetings, meetings
from tegum.auditing._layout_neurons import Polysemanticity, polysemanticity
from tegum.dictionaries.uniform_sphere import spherical
from tegum.geometry import antipodal_pairs, feature_dimensionality
from tegum.geometry._directions import unit
from tegum.results import Result
from tegum.shapes import Float, Int

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

__all__ = [
    "BasisTest", "EffectiveDims", "Meetings", "Polysemanticity", "Turned", "effective_dims", "layout", "meetings", "polysemanticity",
    "privileged_basis",
]  # fmt: skip

QUESTION = "How is it laid out?"
_NEAR, _OPPOSED = 0.95, -0.9  # cosines of what is nearly a copy, and of what is antipodal
_CONSTANT = 1e-10  # of the mean square of a row: less variance is rounding
_ALWAYS = 0.1  # share of rows from which on a feature is dense


@dataclass(frozen=True, eq=False, repr=False)
class EffectiveDims(Result):
    """Of `rows` rows: eigenvalues of their covariance, falling, and three numbers of dims that these are worth.

    `participation` is (sum)^2 / sum of squares, `entropy` exp of the entropy of their shares; `holding[share]` the fewest principal components with
    that share of the variance. `mean_share` is |mean|^2 over the mean square of a row: what all rows have in common. 0 for rows that do not vary.
    """

    rows: int
    left_out: int
    eigenvalues: Float[Tensor, " dims"]
    participation: float
    entropy: float
    holding: dict[float, int]
    mean_share: float
    mean: Float[Tensor, " dims"]
    variances: Float[Tensor, " dims"]

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a principal component."""
        import pandas as pd

        total = max(float(self.eigenvalues.sum()), 1e-300)
        shares = (self.eigenvalues / total).numpy()
        return pd.DataFrame({"component": range(1, len(shares) + 1), "share": shares, "cumulative": shares.cumsum()})

    def __repr__(self) -> str:
        held = ", ".join(f"{share:.0%} of the variance in {dims}" for share, dims in self.holding.items())
        return f"EffectiveDims({self.rows:,} rows in {len(self.mean)} dims: {self.participation:.1f} effective, {held})"


def effective_dims(activations: Activations) -> EffectiveDims:
    """One pass over the rows of the one site, in float64; rows that are not finite are left out. ValueError where no row is left."""
    found = activations.moments()
    if not found.count:
        raise ValueError(f"there are {len(activations):,} rows, none of them finite")
    values = torch.linalg.eigvalsh(found.covariance).flip(0).clamp(min=0)
    total, varies = float(values.sum()), found.variance > _CONSTANT * found.rms_norm**2
    shares = values / total if varies else torch.zeros_like(values)
    cumulative, some = shares.cumsum(0), shares[shares > 0]
    return EffectiveDims(
        rows=found.count, left_out=found.left_out, eigenvalues=values if varies else torch.zeros_like(values),
        participation=float(1 / shares.square().sum()) if varies else 0.0, entropy=float((-(some * some.log()).sum()).exp()) if varies else 0.0,
        holding={share: int((cumulative < share - 1e-12).sum()) + 1 if varies else 0 for share in (0.9, 0.95, 0.99)},
        mean_share=float(found.mean.square().sum()) / found.rms_norm**2 if found.rms_norm else 0.0,
        mean=found.mean, variances=found.covariance.diag() if varies else torch.zeros_like(values),
    )  # fmt: skip


def layout(
    activations: Activations, directions: Tensor | None = None, codes: Codes | None = None, *, n_rotations: int = 99, seed: int = 0,
    progress: bool | None = None,
) -> Answer:  # fmt: skip
    """How the one site of `activations` is laid out; of `directions` (features, dims) and of `codes` (rows to SparseCodes) what there is to say.

    Two passes over the rows: moments, then codes. ValueError for activations without finite rows, and for directions or codes of other sizes.
    """
    dims = activations.n_dims
    if directions is not None:
        directions = one_table(directions)
        if directions.shape[1] != dims:
            raise ValueError(f"the directions have {directions.shape[1]} dims but the activations have {dims}")
    room = effective_dims(activations)
    if not room.participation:
        words = f"Not at all: the {room.rows:,} rows of {dims:,} dims are all the same."
        return Answer(QUESTION, words, (_finding("rows", room.rows, "rows"), _finding("effective_dims", 0.0, "effective dims")))
    test = privileged_basis(activations, directions, n_rotations=n_rotations, seed=seed, progress=progress)
    n_features = len(directions) if directions is not None else 0
    found = meetings(activations, codes, mean=room.mean, n_features=n_features, seed=seed, progress=progress)
    table = _Directions.of(directions, seed) if directions is not None and bool(directions.any()) else None
    carried = None
    if table is not None and directions is not None:
        energy = found.energy if codes is not None and bool(found.energy.any()) else None
        carried = polysemanticity(directions, energy, seed=seed)
    findings = [*_of_rows(room, test), *_of_directions(table, carried, n_features), *(_of_codes(found) if codes is not None else ())]
    return Answer(
        question=QUESTION, verdict=_verdict(room, test, table, found if codes is not None else None, carried), findings=tuple(findings),
        tables=_tables(room, test, table, found, carried, of_codes=codes is not None),
        figures=tuple(_figures(room, test, table, found, carried, of_codes=codes is not None)),
        assumed=_assumed(room, dims, found, of_codes=codes is not None),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Directions:
    """Dims that each feature gets, beside a random table; its nearest other, with sign; antipodal pairs. Places are those of the whole table."""

    n: int
    there: Int[Tensor, " features"]
    D: Float[Tensor, " features"]
    random: Float[Tensor, " features"]
    nearest: Float[Tensor, " features"]
    partner: Int[Tensor, " features"]
    antipodal: list[tuple[int, int]]

    @classmethod
    def of(cls, directions: Float[Tensor, "features dims"], seed: int) -> "_Directions":
        there = directions.any(1).nonzero()[:, 0]
        U = unit(directions[there]).float()
        n, dims = U.shape
        _, signed, partner = largest_others(U, U, min(1, n - 1))
        alone = n == 1
        pairs = antipodal_pairs(U, cosine=_OPPOSED).pairs
        return cls(
            n=len(directions), there=there, D=feature_dimensionality(U), random=feature_dimensionality(spherical(n, dims, seed).dense()),
            nearest=torch.zeros(1) if alone else signed[:, 0], partner=there if alone else there[partner[:, 0]],
            antipodal=[(int(there[i]), int(there[j])) for i, j in pairs],
        )  # fmt: skip


def _of_rows(room: EffectiveDims, test: BasisTest) -> list[Finding]:
    found = [
        _finding("rows", room.rows, "rows that are finite"),
        *([_finding("left_out", room.left_out, "rows that are not, left out")] if room.left_out else []),
        _finding("effective_dims", room.participation, "participation ratio of the covariance's eigenvalues, (sum)^2 / sum of squares"),
        _finding("entropy_dims", room.entropy, "exp of the entropy of their shares"),
        *(_finding(f"dims_{share:.0%}", held, f"principal components with {share:.0%} of the variance") for share, held in room.holding.items()),
        _finding("mean_share", room.mean_share, "share of the rows' mean square length that is the square of their mean"),
        _finding("basis_p", test.p_value, "that the basis is like any other: both kurtoses against rotations, two-sided, Bonferroni"),
    ]  # fmt: skip
    for name, one in test.named.items():
        low, high = one.rotated.quantile(one.rotated.new_tensor([0.025, 0.975])).tolist()
        words = (
            f"kurtosis {name} over that of an average rotation, less 1; rotations lie within {low / float(one.rotated.mean()) - 1:.2%} to "
        )
        words += f"{high / float(one.rotated.mean()) - 1:.2%}; p {one.p_value:.3g}"
        found.append(_finding(f"kurtosis {name}", None if math.isnan(one.excess) else one.excess, words))
    return found


def _of_directions(table: "_Directions | None", carried: Polysemanticity | None, n: int) -> list[Finding]:
    if table is None or carried is None:
        return [_finding("directions", 0, f"all {n:,} directions have length 0")] if n else []
    return [
        _finding("directions", len(table.D), "directions that are not 0"),
        _finding("dimensionality_sum", float(table.D.double().sum()), "dims that all features get together"),
        _finding("dimensionality_median", float(table.D.median()), "dims that a feature gets, median"),
        _finding("dimensionality_random", float(table.random.median()), "the same of directions at random"),
        _finding("antipodal_pairs", len(table.antipodal), f"pairs of directions with a cosine of {_OPPOSED} or less"),
        _finding("near_copies", int((table.nearest >= _NEAR).sum()), f"directions whose nearest other has a cosine of {_NEAR} or more"),
        _finding("features_a_coordinate", float(carried.features.mean()), "features that a coordinate carries, mean"),
        _finding("features_a_coordinate_turned", carried.rotated, "the same after random rotations"),
    ]


def _of_codes(found: Meetings) -> list[Finding]:
    return [
        _finding("l0", found.l0, "features on in a row, mean"),
        _finding("dead", int((found.fired == 0).sum()), f"features that are on in none of {found.rows:,} rows"),
        _finding("dense", int((found.rates > _ALWAYS).sum()), f"features that are on in more than {_ALWAYS:.0%} of the rows"),
        _finding("pairs", found.pairs, f"pairs that chance would bring together five times or more in {found.paired_rows:,} rows"),
        _finding("pairs_twice", found.twice if found.pairs else None, "share of them that meet more than twice as often"),
        _finding("pairs_half", found.half if found.pairs else None, "share of them that meet less than half as often"),
    ]


def _verdict(
    room: EffectiveDims, test: BasisTest, table: "_Directions | None", found: Meetings | None, carried: Polysemanticity | None
) -> str:
    way = {
        "along rows": "some coordinates are larger than others"
        if test.rows.excess > 0
        else "coordinates are more alike in size than after a rotation",
        "along coordinates": "coordinates are distributed unlike their mixtures",
    }
    why = [
        f"{way[name]} ({one.excess:+.0%}, p {one.p_value:.2g})"
        for name, one in test.named.items()
        if name in way and 2 * one.p_value <= 0.05
    ]
    least = f"p {test.p_value:.2g}"
    basis = (
        f"Its basis is privileged ({least}): {' and '.join(why)}"
        if why
        else f"Its basis is like any other, as far as kurtosis tells ({least})"
    )
    held = f"95% of the variance is in {room.holding[0.95]:,} of {len(room.mean):,} dims ({room.participation:.1f} effective)."
    told = [f"{basis}; {held}"]
    if found is not None and not bool(found.fired.any()):
        told.append(f"None of {len(found.fired):,} features was ever on.")
    elif found is not None:
        dead = int((found.fired == 0).sum())
        meet = f", and {found.twice:.0%} of the pairs that chance would bring together meet more than twice as often" if found.pairs else ""
        told.append(f"{found.l0:.1f} of {len(found.fired):,} features are on in a row, {dead:,} in none{meet}.")
    if table is not None and carried is not None:
        pairs = f"{len(table.antipodal):,} antipodal pairs" if len(table.antipodal) != 1 else "one antipodal pair"
        told.append(
            f"Directions get {float(table.D.median()):.3f} dims each ({float(table.random.median()):.3f} at random), with {pairs}; a coordinate "
            f"carries {float(carried.features.mean()):,.0f} of them ({carried.rotated:,.0f} after a random rotation)."
        )
    return " ".join(told)


def _tables(
    room: EffectiveDims, test: BasisTest, table: "_Directions | None", found: Meetings, carried: Polysemanticity | None, *, of_codes: bool
) -> "dict[str, pd.DataFrame]":
    import pandas as pd

    kurtosis = (found.fourth / room.variances.clamp(min=1e-300).square()).where(room.variances > 0, torch.nan)
    columns = {"mean": room.mean, "std": room.variances.clamp(min=0).sqrt(), "share of the variance": room.variances / room.variances.sum()}
    columns |= {"kurtosis over rows": kurtosis}
    coordinates = pd.DataFrame({"coordinate": range(len(room.mean))} | {name: column.numpy() for name, column in columns.items()})
    if carried is not None:
        coordinates = carried.to_dataframe().merge(coordinates, on="coordinate")
    tables = {"basis": test.to_dataframe(), "variance": room.to_dataframe(), "coordinates": coordinates}
    if table is not None:
        features = pd.DataFrame({
            "feature": table.there.numpy(), "dimensionality": table.D.numpy(), "nearest": table.partner.numpy(), "cosine": table.nearest.numpy(),
        })  # fmt: skip
        tables["features"] = features.merge(found.to_dataframe(), on="feature") if of_codes else features
        tables["antipodal pairs"] = pd.DataFrame(table.antipodal, columns=["feature", "other"])
    elif of_codes:
        tables["features"] = found.to_dataframe()
    if of_codes:
        tables |= {"together": found.together, "apart": found.apart}
    return tables


def _figures(
    room: EffectiveDims, test: BasisTest, table: "_Directions | None", found: Meetings, carried: Polysemanticity | None, *, of_codes: bool
) -> "list[Figure]":
    shares = (room.eigenvalues / room.eigenvalues.sum()).cumsum(0)
    drawn = [_layout_figures.variance(shares, room.rows, room.participation, {"95%": float(room.holding[0.95])})]
    drawn += [_layout_figures.basis(test)] if all(not math.isnan(one.excess) for one in test.named.values()) else []
    if table is not None and carried is not None:
        drawn += [_layout_figures.dimensionality(table.D, table.random, len(room.mean))]
        drawn += [_layout_figures.carried(carried, table.n, by_energy=of_codes)]
    if of_codes and bool(found.fired.any()):
        drawn += [_layout_figures.firing(found)]
        drawn += [_layout_figures.meetings(found)] if found.pairs else []
    return drawn


def _assumed(room: EffectiveDims, dims: int, found: Meetings, *, of_codes: bool) -> tuple[str, ...]:
    told = [
        "A basis that is special in another way than by its kurtosis is not found out, and one that is like any other may still mean something.",
        "Dims are of variance about the mean: a direction that matters but hardly varies counts for little.",
    ]
    if room.rows < 10 * dims:
        told.append(
            f"There are {room.rows:,} rows of {dims:,} dims: effective dims come out too low, {room.rows - 1:,} at the most; ten rows a dim "
            "would do."
        )
    if of_codes:
        told.append("Meetings by chance are those of independent features; rows of one text are alike, so meetings have no p-values.")
        if found.paired_rows < found.rows or len(found.paired) < len(found.fired):
            told.append(f"Pairs were counted in {found.paired_rows:,} of {found.rows:,} rows, among {len(found.paired):,} features.")
    return tuple(told)


def _finding(name: str, value: Any, words: str) -> Finding:
    return Finding(name, value, words=words)
