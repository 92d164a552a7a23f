"""Five features, two dims, one feature rarer than the rest: the pentagon gives way to two digons, and two loss curves cross.

n = 5 features of importance 1 in m = 2 dims, four of density .05 and one `ratio` times as rare. The pentagon bends to spare the four, until it is
cheaper to drop the rare feature and put the four in two antipodal pairs. Both are local minima on either side, so the change is one of first
order: the geometry jumps where the two losses are equal. The caption in the paper puts this at a ratio of about 2.5. Here the exact losses of both
families say where it is (`theory.rarer_feature`), and networks are trained on either side.

Settled after a first look at 60 networks at five ratios: that the trained digons are held against those with a *silent* rare output (bias below 0,
output 0), where all of them ended, and not against the slightly better ones whose bias is the rare feature's mean; the ratios of the presets; and
a tolerance of 2% for the trained crossing, where medians lay .03% above the minima.
"""

import itertools
from collections.abc import Iterable
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field

from tegum import figures, theory
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments._intervals import wilson
from tegum.experiments.toys._training import Training, quick
from tegum.geometry import antipodal_pairs, represented
from tegum.toys.models.relu_output import ReLUOutput
from tegum.toys.train import train

N, M = 5, 2
FAMILIES = ("pentagon", "two digons", "other")
CAPTION = 2.5  # the ratio that the paper's caption names
LEAD = 0.01  # of a loss, by which one family must lead for its win to be sure
WIDEST = 108.0  # degrees between neighbours in a pentagon: halfway from 72, where it is regular, to 144
RESAMPLES = 2000

BaseDensity = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
Ratio = Annotated[float, Field(ge=1, allow_inf_nan=False)]
DISAGREES = (
    "both loss curves are exact and cross at 3.72, and networks trained here cross within 2% of it. The crossing moves with the density of the "
    "other features: 2.5 would take .092 in place of .05 (2.35 at .1). The caption reads its 2.5 off trained networks, with no interval"
)


class PentagonToDigons(Experiment):
    """n = 5, m = 2, over how much rarer one feature is."""

    id = "A9"
    title = "From a pentagon to two digons: one feature made rarer"
    version = 2
    source = "Elhage et al. 2022, 'The geometry of superposition', on non-uniform superposition"

    class Params(Training):
        """Density of four features, ratios of it to the fifth's, and densities at which the exact crossing is found too."""

        density: BaseDensity = 0.05
        ratio: tuple[Ratio, ...] = (1.0, 1.5, 2.0, 2.5, 3.0, 3.25, 3.5, 3.75, 4.0, 4.25, 4.5, 5.0, 6.0, 8.0)
        densities: tuple[BaseDensity, ...] = (0.01, 0.02, 0.03, 0.05, 0.07, 0.09, 0.1, 0.15, 0.2, 0.25)

        def training_at(self, ratio: float) -> dict[str, Any]:
            """`training` with a seed for each ratio, so that they are independent of each other."""
            return self.training() | {"seed": self.seed * len(self.ratio) + self.ratio.index(ratio)}

    presets = {
        "quick": Params(**quick(ratio=(1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 6.0), densities=(0.02, 0.05, 0.09, 0.2), seeds=60)),
        "paper": Params(seeds=200),
    }

    def cells(self, params: Params) -> list[Cell]:
        """One a ratio at which networks train, and one a density at which theory finds the crossing."""
        ratios, densities = dict.fromkeys(params.ratio), dict.fromkeys((params.density, *params.densities))
        return [Cell(part="networks", ratio=r) for r in ratios] + [Cell(part="theory", base=p) for p in densities]

    def run(self, cell: Cell, params: Params) -> Row:
        """Train `seeds` networks and tell their families, beside the exact loss of each; or find the exact crossing. Losses sum over features."""
        if cell.part == "theory":
            return Row(**theory.digon_crossings(cell.base)._asdict())
        features = theory.one_rarer(params.density, cell.ratio)
        trained = train(ReLUOutput(n_features=N, n_hidden=M), features, instances=params.seeds, **params.training_at(cell.ratio))
        families, best = family(trained.W), trained.best()
        pentagon, digons = theory.bent_pentagons(params.density, [cell.ratio]), theory.two_digons_loss(params.density, cell.ratio)
        return Row(
            families=families,
            losses=N * trained.loss,
            best=int(families[best.index]),
            rare_norm=best.W[0].norm(),
            W=best.W,
            b=best.b,
            pentagon=pentagon.loss[0],
            digons=digons.mean,
            silent=digons.silent,
        )

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """Where the curves cross, exactly and as trained, and that the change is of first order."""
        networks, exact = _by_ratio(rows), rows.at(part="theory", base=rows.params.density)
        if rows.params.density == self.Params().density:
            yield Claim(
                f"at density {rows.params.density:g} the two exact loss curves cross where one feature is 2.5 times as rare: ratio at the crossing",
                exact.mean, expected=CAPTION, tolerance=0.25, source="caption of the paper's figure: the curves cross at about 2.5 times",
                reason="the caption gives two digits with a tilde; a quarter is half the step to the next half", on_record="refuted",
                record_reason=DISAGREES,
            )  # fmt: skip
        found, interval, step = trained_crossing(networks, rows.params.seed)
        yield Claim(
            "the median losses of the trained networks of either family cross where the exact ones do, the rare output silent: trained / exact ratio",
            found / exact.silent, interval=(interval[0] / exact.silent, interval[1] / exact.silent), expected=1, tolerance=0.02 + step**2 / 8,
            reason="2%: about a crossing of slope .4 a network that stops .5% above its minimum moves it by 1.2%, and as much again for room; and "
            f"the bow of the curves between two ratios {step:.2g} apart in ln r. Bootstrap 95% interval over networks, family by family and ratio "
            f"by ratio, {RESAMPLES:,} times",
        )  # fmt: skip
        least = np.fmin(networks.values("pentagon"), networks.values("silent"))
        told = np.fmax(networks.values("pentagon"), networks.values("silent")) / least - 1
        sure = ~(told <= LEAD)  # where there is no pentagon the digons are sure
        wins = np.where(networks.values("pentagon") == least, 0, 1)
        if sure.any():
            yield Claim(
                f"the best network has the geometry of the lower curve wherever that leads by over {LEAD:.0%}: share of such ratios",
                (networks.values("best") == wins)[sure].mean(), expected=1, reason=f"{sure.sum()} of {len(sure)} ratios",
            )  # fmt: skip
        best = networks.values("losses").min(axis=1)
        yield Claim(
            "the best network's loss is within 1% of the lower of the two exact curves at every ratio: largest ratio of the two",
            (best / least).max(), expected=(None, 1 + LEAD), reason="1% for training on samples at a finite rate",
        )  # fmt: skip
        yield Claim(
            "check of the theory: no network does better than both families, the rare output at its mean: least ratio",
            (best / np.fmin(least, networks.values("digons"))).min(), expected=(1, None), tolerance=1e-6,
            reason="that no third geometry is better is not proved; networks are a search for one. 1e-6 is for where the descent of the loss stops",
        )  # fmt: skip
        norms = networks.values("rare_norm")
        yield Claim(
            "the change is a jump: largest fall of the best network's |W_i| of the rare feature from one ratio to the next",
            max(0.0, float(-np.diff(norms, prepend=norms[:1]).min())), expected=(0.9, None),
            reason="a feature that faded would take several steps; .9 is nearly all that a norm can fall",
        )  # fmt: skip
        near = np.abs(np.log(networks.values("ratio") / exact.silent)) < np.log(1.5)
        losers = sum(int((row.families == 1 - wins[i]).sum()) for i, row in enumerate(networks) if near[i])
        trials = int(near.sum()) * rows.params.seeds
        if trials:
            share, ends = wilson(losers, trials)
            yield Claim(
                "the other geometry is still a minimum that holds networks: share in it at ratios within a factor of 1.5 of the crossing", share,
                interval=ends, expected=(0.05, None), reason=f"Wilson 95% interval over {trials} networks; 1 in 20 is no accident of training",
            )  # fmt: skip

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """Both loss curves and their crossing; the geometry on either side; where networks end; the crossing against density."""
        networks, exact = _by_ratio(rows), rows.at(part="theory", base=rows.params.density)
        ratio, n, base = networks.values("ratio"), rows.params.seeds, rows.params.density
        how = f"{n} networks a ratio ({rows.params.how()}), four features of density {base:g}"
        losses, families = networks.values("losses"), networks.values("families")
        medians = {
            f"trained, {name}": [
                np.median(row[which == k]) if (which == k).any() else np.nan for row, which in zip(losses, families, strict=True)
            ]
            for k, name in enumerate(FAMILIES[:2])
        }
        found, interval, _ = trained_crossing(networks, rows.params.seed)
        crosses = {f"exact {exact.mean:.2f}": exact.mean} if np.isfinite(exact.mean) else {}
        curves = {"pentagon": "pentagon", "digons, rare output at its mean": "digons", "digons, rare output silent": "silent"}
        yield figures.lines(
            {"ratio": np.tile(ratio, 2), "family": np.repeat(list(medians), len(ratio)), "loss": np.concatenate(list(medians.values()))},
            "ratio", "loss", "family", colour_title="", log_x=True, log_y=True, x_title="times as rare as the other four features",
            y_title="expected loss, sum over features", curves={name: (ratio, networks.values(field)) for name, field in curves.items()},
            marks={**crosses, f"caption {CAPTION}": CAPTION},
            caption=f"Exact loss of the two families, and the median exact loss of the trained networks in each: {how}. The exact curves cross at "
            f"{exact.mean:.3f} ({exact.silent:.3f} with the rare output silent), the trained ones at {found:.3f} "
            f"(bootstrap 95% interval {interval[0]:.3f} to {interval[1]:.3f}).",
        )  # fmt: skip
        shown = np.unique(np.linspace(0, len(networks) - 1, min(6, len(networks))).round().astype(int))
        yield figures.directions_2d(
            networks.values("W")[shown], np.array([base / ratio[shown], *[np.full(len(shown), base)] * 4]).T,
            [f"{ratio[i]:g} times as rare" for i in shown], colour_title="density p",
            caption=f"The best of {how}: the direction of each feature in the hidden plane. The rare one bends the pentagon, then is dropped.",
        )  # fmt: skip
        shares = [wilson(int((which == k).sum()), n) for which in families for k in (0, 1)]
        yield figures.lines(
            {
                "ratio": np.repeat(ratio, 2), "family": list(FAMILIES[:2]) * len(ratio), "share": [share for share, _ in shares],
                "low": [ends[0] for _, ends in shares], "high": [ends[1] for _, ends in shares],
            },
            "ratio", "share", "family", colour_title="", error=("low", "high"), log_x=True, x_title="times as rare as the other four features",
            y_title="share of networks", marks=crosses,
            caption=f"In which geometry networks end, with Wilson 95% intervals: {how}. Beyond the crossing many stay in the pentagon, "
            f"which has become the worse of the two. In all, {(families == 2).sum()} of {families.size} networks are in neither.",
        )  # fmt: skip
        theory_rows = rows.where(part="theory")
        at = theory_rows.values("base")
        yield figures.lines(
            {
                "density": np.tile(at, 2), "crossing": np.append(theory_rows.values("mean"), theory_rows.values("silent")),
                "output": np.repeat(["rare output at its mean", "rare output silent"], len(at)),
            },
            "density", "crossing", "output", colour_title="", log_x=True, x_title="density p of the other four features",
            y_title="ratio at the crossing", levels={"caption 2.5": CAPTION}, marks={f"p = {base:g}": base},
            caption="The ratio at which the exact losses of pentagon and digons cross, against the density of the four other features: "
            "Newton's method on the exact losses, nothing sampled. The denser they are, the sooner the pentagon gives way.",
        )  # fmt: skip


def family(W: torch.Tensor) -> torch.Tensor:
    """Index into FAMILIES of each network: a pentagon has all five features, none more than `WIDEST` degrees from the next; digons drop the first."""
    angles = torch.atan2(W[..., 1], W[..., 0]).rad2deg().sort(-1).values
    gaps = torch.cat((angles.diff(dim=-1), angles[..., :1] + 360 - angles[..., -1:]), -1)
    kept = represented(W)
    found = torch.full(W.shape[:-2], 2)
    found[~kept[..., 0] & (antipodal_pairs(W).count == 2)] = 1
    found[kept.all(-1) & (gaps < WIDEST).all(-1)] = 0
    return found


def trained_crossing(networks: Rows, seed: int) -> tuple[float, tuple[float, float], float]:
    """The ratio at which the families' median losses cross, its bootstrap 95% interval, and how far apart in ln r the two ratios beside it are.

    NaN where the networks show no crossing: a family is missing on one side.
    """
    generator, log_ratio = np.random.default_rng(seed), np.log(networks.values("ratio"))
    gaps = np.full((RESAMPLES + 1, len(networks)), np.nan)
    for i, row in enumerate(networks):
        members = [row.losses[row.families == k] for k in (0, 1)]
        if min(map(len, members)):
            drawn = [np.vstack([each, generator.choice(each, (RESAMPLES, len(each)))]) for each in members]
            gaps[:, i] = np.log(np.median(drawn[0], axis=1) / np.median(drawn[1], axis=1))
    there = np.flatnonzero(np.isfinite(gaps[0]))
    turns = [(a, b) for a, b in itertools.pairwise(there) if gaps[0, a] < 0 <= gaps[0, b]]
    if not turns:
        return np.nan, (np.nan, np.nan), 0.0
    a, b = turns[0]
    step = log_ratio[b] - log_ratio[a]
    crossing = np.exp(log_ratio[a] - gaps[:, a] / (gaps[:, b] - gaps[:, a]) * step)
    low, high = np.quantile(crossing[1:], [0.025, 0.975])
    return float(crossing[0]), (float(low), float(high)), float(step)


def _by_ratio(rows: Rows) -> Rows:
    found = rows.where(part="networks")
    return Rows(rows.params, sorted(found, key=lambda row: row.ratio), found.missing)
