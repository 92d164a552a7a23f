"""Why one dim per bit: an answer to the puzzle that 'When Numbers Are Bits' leaves open ("I have no idea why this is the case").

What is to be explained: l1 minimisation reads a set of k out of N features from about as many random dims as the set has bits, H = log2 C(N, k),
close to k log2(e N / k), and never seems to need more.

The exact curve has nothing to do with bits. l1 fails when a random subspace meets a cone, and a random subspace meets a cone just when their
dimensions add up to more than there is room for. The dimension of this cone is an average over Gaussian noise g,

    d = min over tau of  k (1 + tau^2) + kappa (N - k) E (g - tau)_+^2        kappa = 1 for codes known to be non-negative, 2 for signed ones,

a price of two parts: each active feature pays 1 + tau^2, and each silent one pays for as much of its noise as pokes out over the threshold tau.
The best tau grows as sqrt(2 ln(N/k)), so both d and H grow as k ln(N/k), and that is all that they have in common. With r = ln(N/k),

    d/k = 2 r - 3 ln(2 r) - ln(2 pi) + 3 + ...        H/k = (r + 1) / ln 2        d/H  ->  2 ln 2 = 1.386

for non-negative codes, and 2 ln 2 more in d/k for signed ones. It is the logarithm that makes the coincidence: it holds d/H down, at .56 for r = 2
and non-negative codes, and lets go so slowly that the ratio is below 1 up to r = 15.1 (signed) or 18.7 (non-negative): 3.7 million features a set
member, or 127 million. Few sizes that one can simulate leave the stretch from .56 to 1: those with very few features on, whose bits are fewer.

Why then 'one', and not .8? Because half of the codes is not all of them. What a plot shows as the edge of safety is the 99% point: 146 dims at
N = 4,096, k = 16 for signed l1, where H is 147.7 bits. The width of the transition, over d, falls as k grows, so this edge is no constant either:
over H it is 1.25 at k = 4, .99 at 16 and .84 at 64, and crosses one in the middle of the sizes that one tries. Beyond the crossings the rule
fails: at r = 40 l1 reads not one set in a thousand from H dims. And it is not what a set's bits allow: message passing that knows that features
are 0 or 1 needs fewer dims at every size, and the numbers in each dim hold two bits and more of them.
"""

from collections.abc import Iterable
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt
from scipy.optimize import brentq
from scipy.special import entr
from scipy.stats import chi2

from tegum import figures, theory
from tegum.capacity.panel import PANEL
from tegum.capacity.transition import Transition, transition
from tegum.capacity.trials import Setting
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments._intervals import wilson

KINDS = {"non-negative": "basis pursuit", "signed": "basis pursuit, signed"}
ORDERS = 92.0  # ln of 10^40
LIMIT = 2 * np.log(2)
FINITE = 16  # features on, where finite sizes are held against the rule
EDGE = (4, 16, 64)  # features on, whose edge of safety is drawn
DRAWS = 5_000  # vectors for an exact chance; their error is in the claims
FEW_SEEN = 5  # expected successes or failures below which chi^2 says nothing


class OneDimPerBit(Experiment):
    """l1 measured at sizes of all kinds, against the exact curve and against bits."""

    id = "B4"
    title = "Why one dim per bit: a coincidence of scale, 40 orders of magnitude wide"
    source = (
        "Gadzinski, 'When Numbers Are Bits' (the puzzle); Donoho & Tanner 2005 and 2009; Amelunxen, Lotz, McCoy & Tropp 2014 (the curve)"
    )

    class Params(Experiment.Params):
        """Sizes as pairs (features, active); codes a number of dims; these, in widths from the law's middle; codes at most where N is large."""

        sizes: tuple[tuple[Annotated[int, Field(ge=2)], PositiveInt], ...] = (
            *((2**e, k) for e in (6, 8, 10, 12) for k in (4, 16)),
            *((2**14, k) for k in (4, 16)),
            *((2**16, k) for k in (4, 16)),
            (2**20, 4),
            (2**20, 16),
            (2**22, 2),
        )
        trials: Annotated[int, Field(ge=32)] = 96
        places: tuple[float, ...] = (-1.5, -0.75, 0.0, 0.75, 1.5)
        most_of_large: PositiveInt = 48

    presets = {
        "quick": Params(sizes=((2**6, 4), (2**8, 4), (2**8, 16), (2**10, 4), (2**10, 16), (2**12, 4)), trials=48, places=(-1.2, 0.0, 1.2)),
        "paper": Params(),
    }

    def cells(self, params: Params) -> list[Cell]:
        """One a size and a kind of codes."""
        for n, k in params.sizes:
            if 2 * k > n:
                raise ValueError(f"{k} of {n} features are more than half of them; say what is off instead")
        return [Cell(n_features=n, n_active=k, kind=kind) for n, k in dict.fromkeys(params.sizes) for kind in KINDS]

    def run(self, cell: Cell, params: Params) -> Row:
        """Codes read around the law's 50% point, and with one dim for each bit."""
        n, k, signed = cell.n_features, cell.n_active, cell.kind == "signed"
        decoder, setting = PANEL[KINDS[cell.kind]](n, k, 0.0), Setting(n_features=n, n_active=k, seed=params.seed)
        middle, width = float(theory.lasso_dims(n, k, signed=signed)), float(theory.lasso_width(n, k, signed=signed))
        trials = params.trials if n <= 2**16 else min(params.trials, params.most_of_large)
        dims = sorted({max(1, round(middle + places * width)) for places in params.places} | {_rule(n, k)})
        right = [setting.count(decoder, d, 0, trials).right for d in dims]
        return Row(dims=np.array(dims), right=np.array(right), trials=trials, dictionary=setting.dictionary)

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """Measured against the exact chance; the shape of the ratio; why one; and what is left."""
        for kind in KINDS:
            statistic, count = _exact_fit(rows, kind)
            yield Claim(
                f"codes are read as often as the cone's intrinsic volumes say, {kind} l1, at every size and number of dims: p-value",
                float(chi2.sf(statistic, count)), expected=(1e-3, None), source="Amelunxen, Lotz, McCoy & Tropp 2014, theorem I",
                reason=f"chi^2 over {count} points with {FEW_SEEN} successes and failures expected; a right theory falls below .001 once in a "
                f"thousand",
            )  # fmt: skip
        lowest = float(_ratio(np.linspace(1, 4, 301)).min())
        yield Claim(
            "the least ratio of l1's dims to bits, for many features on", lowest, expected=0.56, tolerance=0.005,
            reason="the figure is quoted with two digits, at ln(N/k) = 2", source="Donoho & Tanner 2009, by the curve",
        )  # fmt: skip
        for kind, about in (("signed", 15.0), ("non-negative", 19.0)):
            yield Claim(
                f"ln(N/k) at which {kind} l1 needs one dim a bit, for many features on", crossing(signed=kind == "signed"), expected=about,
                tolerance=0.5, reason="the figure is quoted as a whole number",
            )  # fmt: skip
        far = 1e6
        yield Claim(
            "the limit of the ratio for rare features (at ln(N/k) = 10^6)", float(_ratio(far)), expected=LIMIT,
            tolerance=LIMIT * (1.5 * np.log(2 * far) + 1) / far, reason="the next terms, (3 ln(2 r) / 2 + 1) / r of it, bound what is missing",
        )  # fmt: skip
        margins = [_margin(row) for row in rows]
        worst = max(margins, key=lambda margin: margin[0])
        yield Claim(
            "the dims that l1 needs never exceed the bits, at any size measured: largest ratio", worst[0], interval=worst[1], expected=(None, 1.0),
            reason="50% point of the fit over log2 C(N, k), at the size where it is largest; 95% interval by likelihood",
        )  # fmt: skip
        for r, low, high in ((40.0, None, 1e-2), (5.0, 0.99, None)):
            n = round(FINITE * np.exp(r))
            chance = theory.l1_success(_rule(n, FINITE), n, FINITE)
            yield Claim(
                f"share of sets of {FINITE} that l1 reads from one dim a bit, k log2(e N/k), at ln(N/k) = {r:g}", float(chance.probability),
                interval=(float(chance.low), float(chance.high)), expected=(low, high), source="conic intrinsic volumes",
                reason="the rule is safe at sizes that one can simulate, and reads nothing far beyond; Wilson's interval",
            )  # fmt: skip
        ratios = [float(theory.bayes_dims(n, k) / theory.lasso_dims(n, k)) for n, k in rows.params.sizes if k > 1]
        yield Claim(
            "Bayes-AMP needs fewer dims than non-negative l1 at every size measured here, by theory: largest ratio", max(ratios), expected=(None,
            1.0),
            reason="both are closed forms of large sizes", source="Krzakala et al. 2012",
        )  # fmt: skip

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """The ratio over 40 orders; measured sizes; one size in full; the pieces; what is left."""
        r = np.concatenate((np.linspace(0.7, 10, 80), np.geomspace(10, ORDERS, 80)[1:]))
        points = [point for row in rows if (point := _measured(row, coins=True)) is not None]
        yield figures.lines(
            points, "log_ratio", "ratio", "kind", colour_title="measured,", error=("low", "high"), mode="markers", log_x=True, span=r,
            x_title="ln(N/k)", y_title="dims over bits, half of the sets read",
            curves={"signed l1": (r, _ratio(r, signed=True)), "non-negative l1": (r, _ratio(r)), "Bayes-AMP": (r, bayes_ratio(r))},
            levels={"one dim a bit": 1.0},
            marks={f"{crossing(signed=signed):.1f}": crossing(signed=signed) for signed in (True, False)},
            caption="Dims that are needed over bits, for N from twice k to 10^40 k: theory dashed, measured points with 95% intervals by "
            "likelihood. Bits are those of N coins that show k heads on average, to which log2 C(N, k) tends. The limit of l1 is 2 ln 2 = 1.386. "
            "What can be simulated lies left of ln(N/k) = 16. Theory is of Gaussian directions; those of length 1, measured beyond N = 2^17, need "
            "fewer dims where few features are on.",
        )  # fmt: skip
        near = np.linspace(1.4, 16, 80)
        yield figures.lines(
            [
                {"active": k, "log_ratio": float(at), "ratio": float(ratio)}
                for k in EDGE for at, ratio in zip(near, _edge(near, k, 0.99), strict=True)
            ],
            "log_ratio", "ratio", "active", colour_title="99% read, k =", levels={"one dim a bit": 1.0}, mode="lines",
            curves={f"half read, k = {k}": (near, _edge(near, k, 0.5)) for k in EDGE},
            x_title="ln(N/k)", y_title="dims over bits, signed l1",
            caption="Why 'one' and not less: the edge of safety, the 99% point of signed l1, lies above one dim a bit with 4 features on, crosses it "
            "at N = 5,900 with 16, and lies below it with 64 up to N = 1.7 million. The 50% points (dashed) lie close together. By the normal law of "
            "the transition.",
        )  # fmt: skip
        largest = max(rows, key=lambda row: (row.n_active == FINITE, row.n_features <= 2**16, row.n_features))
        n, k = largest.n_features, largest.n_active
        bits = float(theory.subset_bits(n, k))
        fine = np.unique(np.round(np.linspace(0.3, 1.3, 120) * bits)).astype(int)
        here = [row for row in rows if (row.n_features, row.n_active) == (n, k)]
        yield figures.lines(
            [_success(row, place, bits) for row in here for place in range(len(row.dims))], "ratio", "share", "kind", colour_title="measured,",
            error=("low", "high"), marks={"one dim a bit": 1.0}, x_title="dims over bits", y_title="share of sets read", mode="markers",
            curves={f"{kind}, exact": (fine / bits, theory.l1_success(fine, n, k, signed=kind == "signed").probability) for kind in KINDS},
            caption=f"One size in full: {k} of {n:,} features on, {bits:.0f} bits, {here[0].trials} codes a point (Wilson, 95%); dashed the "
            f"exact chance, "
            "by the intrinsic volumes of the cone. Where dims and bits are equal, nearly all sets are read.",
        )  # fmt: skip
        asymptote = LIMIT / 2 * (2 * r - 3 * np.log(2 * r) - np.log(2 * np.pi) + 3) / (r + 1)
        yield figures.lines(
            [{"log_ratio": float(at), "ratio": float(value), "what": "l1, non-negative"} for at, value in zip(r, _ratio(r), strict=True)],
            "log_ratio", "ratio", "what", colour_title="", mode="lines", log_x=True, levels={"one dim a bit": 1.0},
            curves={"2 r ln 2 / (r + 1)": (r, LIMIT * r / (r + 1)), "with - 3 ln(2 r) - ln(2 pi) + 3": (r[r > 4], asymptote[r > 4])},
            x_title="r = ln(N/k)", y_title="dims over bits",
            caption="What holds the ratio down: the leading term alone would need more dims than bits from N = 13 k on; 3 ln(2 r) less brings "
            "it below one up to "
            "a hundred million features a member, and dies away as ln(r) / r.",
        )  # fmt: skip
        yield figures.bars(
            left_on_the_table(), "who", "ratio", "size", x_title="dims a bit", y_title=" ", marks={"one dim a bit": 1.0},
            caption="What is left on the table, by theory: from the limit of counting, below which sums of directions of +-1 can not all be "
            "different, to a threshold on single features.",
        )  # fmt: skip


def crossing(*, signed: bool) -> float:
    """ln(N/k) at which l1 needs one dim a bit, for many features on."""
    return float(np.asarray(brentq(lambda r: float(_ratio(r, signed=signed)) - 1, 5, 60)))


def bayes_ratio(log_ratio: np.ndarray) -> np.ndarray:
    """Bayes-AMP's dims over bits for many features on: the bits of a feature are the entropy of its coin."""
    density = np.exp(-np.minimum(log_ratio, 600))
    nats = density * log_ratio - (1 - density) * np.log1p(-density)
    return np.asarray(theory.bayes_critical_ratio(density, values="binary")) / nats * np.log(2)


def left_on_the_table() -> list[dict]:
    """Dims a bit of who reads, at two sizes, the fewest first."""
    rules = {
        "counting, +-1 directions": theory.integer_dims,
        "Bayes-AMP": theory.bayes_dims,
        "non-negative l1": theory.lasso_dims,
        "signed l1": lambda n, k: theory.lasso_dims(n, k, signed=True),
        "top-k": theory.topk_dims,
        "threshold at 1/2": theory.threshold_dims,
    }
    return [
        {"who": who, "ratio": float(rule(n, k)) / float(theory.subset_bits(n, k)), "size": f"{k} of {n:,}"}
        for who, rule in rules.items()
        for n, k in ((4096, 16), (2**20, 64))
    ]


def _ratio(log_ratio: np.ndarray | float, *, signed: bool = False) -> np.ndarray:
    return np.asarray(theory.lasso_dims_per_bit(log_ratio, signed=signed))


def _edge(log_ratio: np.ndarray, k: int, share: float) -> np.ndarray:
    """Dims over bits from which signed l1 reads this share of sets of k."""
    n = k * np.exp(log_ratio)
    return np.asarray(theory.lasso_dims(n, k, True, share)) / np.asarray(theory.subset_bits(n, k), dtype=float)


def _rule(n: int, k: int) -> int:
    """One dim a bit by the rule of thumb, k log2(e n / k)."""
    return int(np.ceil(float(theory.subset_bits_approximate(n, k))))


def fit_of(row: Row) -> Transition | None:
    """The transition of a saved row."""
    return transition(row.dims, row.right, np.full(len(row.dims), row.trials))


def _measured(row: Row, *, coins: bool = False) -> dict | None:
    """What a size needed over its bits, or over those of as many coins."""
    fit = fit_of(row)
    if fit is None:
        return None
    n, p = row.n_features, row.n_active / row.n_features
    bits = n * float(entr(p) + entr(1 - p)) / np.log(2) if coins else float(theory.subset_bits(n, row.n_active))
    low, high = fit.interval
    kind = row.kind if row.dictionary == "gaussian" else f"{row.kind}, length 1"
    place = {"kind": kind, "n_active": row.n_active, "log_ratio": float(np.log(row.n_features / row.n_active))}
    return place | {"ratio": fit.d50 / bits, "low": low / bits, "high": high / bits}


def _margin(row: Row) -> tuple[float, tuple[float, float]]:
    """The 50% point over the bits, with its interval; infinite where it was not reached."""
    point = _measured(row)
    return (np.inf, (np.inf, np.inf)) if point is None else (point["ratio"], (point["low"], point["high"]))


def _success(row: Row, place: int, bits: float) -> dict:
    share, (low, high) = wilson(row.right[place], row.trials)
    return {"ratio": row.dims[place] / bits, "share": share, "low": low, "high": high, "kind": row.kind}


def _exact_fit(rows: Rows, kind: str) -> tuple[float, int]:
    """chi^2 of the counts under the exact chances, and over how many points: of Gaussian directions, which the formula is of."""
    total, count = 0.0, 0
    for row in rows:
        if row.kind != kind or row.dictionary != "gaussian":
            continue
        chance = theory.l1_success(row.dims, row.n_features, row.n_active, signed=kind == "signed", trials=DRAWS)
        expected = row.trials * chance.probability
        variance = expected * (1 - chance.probability) + (row.trials * chance.standard_error) ** 2
        told = (expected > FEW_SEEN) & (row.trials - expected > FEW_SEEN)
        total += float(np.sum((row.right - expected)[told] ** 2 / variance[told]))
        count += int(told.sum())
    return total, count
