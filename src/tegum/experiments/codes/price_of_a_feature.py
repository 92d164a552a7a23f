"""The price of one more feature: the dims that each way of reading asks for the next active one, and how many a residual stream holds.

Turned round, a rule for the dims that k of N features need says how many may be active at once in a vector of d numbers; its derivative dd/dk is
the price of the next one. The source compares two prices: 8 ln N for a threshold on each feature's own direction, and log2(N/k) at one dim a
bit. Their ratio is 8 ln 2 / (1 - eta), eta = ln k / ln N: 5.5 for the first feature, and ten from k = N^.45 on. By what factor it says that
'these prices can easily vary', and for how many dims 'this is the difference between reliably storing a set' of how many 'and inconsistently
storing a dozen', is lost in the copies that we have. The numbers found here:

- 768 dims, the width of GPT-2 small, and 16,384 features: a threshold at 1/2 reads twelve active ones in half of all cases, which was tried at
  this size; top-k reads 23, one dim a bit would be 86, l1 reads 142 in half of all cases and 127 in 99 of 100, and Bayes-AMP 168;
- a threshold's price at 50% does not depend on k and is some way below 8 ln N: it is 8 (ln N - ln(4 pi ln N) / 2 - ln ln 2), to 1%;
- one dim a bit is no law. With 16 active, l1 asks 7 dims for a feature of 10 bits at N = 2^14, and 25 for one of 26 at N = 2^30; in the end,
  2 ln 2 dims a bit;
- as N grows with k = N^eta, a threshold's price tends to 4 / (1 - eta) times that of l1, top-k's to (1 + sqrt(eta)) / (1 - sqrt(eta)) times.

Settled after a first look: by how much the table may be off (half of a transition's width; one dim for l1), and the 1%.
"""

import math
from collections.abc import Iterable
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from tegum import figures, theory
from tegum.capacity.transition import transition
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments._intervals import wilson
from tegum.experiments.codes._marginal_prices import closed_prices, threshold_price
from tegum.experiments.codes._tabled_readings import READERS, Entry, cone_shift

ORDER = ("threshold, rule of thumb", "threshold", "Bayes's threshold", "top-k", "l1, signed", "l1", "Bayes-AMP")  # fewest features first
TABLED = (*ORDER[:4], "one dim a bit", *ORDER[4:], "top-k, rule of thumb")
DRAWN = ("threshold", "top-k", "l1, signed", "l1", "Bayes-AMP")
WIDTHS = {256: "256", 768: "GPT-2 small", 1600: "GPT-2 XL", 4096: "4,096", 12288: "GPT-3"}
EXPONENTS = (6, 12, 24, 48, 100, 200, 300)  # of ten: the N at which limits are looked for
ETA = 0.25
NEAR = 0.5  # of a transition's width: within it a finite-size threshold is not told from another
DIGITS = 1e-8  # of prices by differences: `theory.marginal_dims`
SPARSE = 16  # prices go up to one active feature in so many


class PriceOfAFeature(Experiment):
    """Prices and capacities of every rule, and readings at entries of the table."""

    id = "B6"
    title = "The price of one more feature, and how many a residual stream holds"
    source = (
        "Gadzinski, 'When Numbers Are Bits', marginal prices; Amelunxen, Lotz, McCoy & Tropp 2014 (l1); Krzakala et al. 2012 (Bayes-AMP)"
    )

    class Params(Experiment.Params):
        """Features (as powers of two) and dims; where one look is tried, where a search (Bayes-AMP; l1's cones), and on how many codes."""

        log2_features: tuple[Annotated[int, Field(ge=10, le=60)], ...] = tuple(range(14, 31, 2))
        dims: tuple[Annotated[int, Field(ge=128)], ...] = tuple(WIDTHS)
        look_dims: Annotated[int, Field(ge=64)] = 768
        look_log2_features: Annotated[int, Field(ge=8, le=16)] = 14
        search_dims: Annotated[int, Field(ge=48)] = 256
        search_log2_features: Annotated[int, Field(ge=8, le=16)] = 12
        batches: PositiveInt = 8
        together: Annotated[int, Field(ge=2)] = 64
        trials: Annotated[int, Field(ge=1000)] = 40_000

    presets = {
        "quick": Params(log2_features=(14, 20, 30), search_dims=128, search_log2_features=11, batches=2, trials=8_000),
        "paper": Params(),
    }

    def cells(self, params: Params) -> list[Cell]:
        """The table, a number of features at a time; limits; readings, a dictionary at a time; the cones of l1."""
        table = [Cell(kind="table", log2_features=bits) for bits in sorted(set(params.log2_features))]
        readings = [Cell(kind="reading", rule=rule, batch=batch) for rule in READERS for batch in range(params.batches)]
        return [*table, Cell(kind="limit"), *readings, Cell(kind="cones")]

    def run(self, cell: Cell, params: Params) -> Row:
        """One of these."""
        if cell.kind == "table":
            return _table(2**cell.log2_features, params.dims)
        if cell.kind == "limit":
            n, k = np.array([10**e for e in EXPONENTS], dtype=object), np.array([10.0 ** (ETA * e) for e in EXPONENTS])
            return Row(price=np.stack([theory.marginal_dims(theory.RULES[rule], n, k) for rule in ("threshold", "top-k", "l1")]))
        if cell.kind == "reading":
            entry = _entry(cell.rule, params)
            right = entry.read(cell.batch, params.together, params.seed)
            return Row(k=entry.tried, right=right, tabled=entry.active, width=entry.width)
        entry = _entry("l1", params)
        chance, error = entry.cones(params.trials, params.seed)
        return Row(k=entry.tried, chance=chance, error=error, tabled=entry.active)

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """Prices in closed form; their ratios, here and in the limit; what the capacities must obey; what is read at the table's entries."""
        table = list(rows.where(kind="table"))
        yield from _price_claims(table)
        yield from _limit_claims(rows.at(kind="limit").price)
        yield from _capacity_claims(table, np.array(rows.params.dims))
        yield from _reading_claims(rows)

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """The table; capacity over dims; price over k; dims a bit over N; the readings."""
        table = list(rows.where(kind="table"))
        middle = table[len(table) // 2]
        n, dims = 2**middle.log2_features, rows.params.dims
        held = {rule: _of(middle.capacity, rule) for rule in TABLED}
        streams = [place for place, d in enumerate(dims) if d >= 768 or max(dims) < 768][-4:]
        yield figures.bars(
            [{"rule": rule, "k": held[rule][i], "dims": f"{dims[i]:,} dims"} for rule in TABLED[:-1] for i in reversed(streams)], "rule", "k", "dims",
            log_x=True, x_title="features active at once", y_title="read by",
            caption=f"How many of {n:,} features may be active at once, by how they are read. Success is 50%; one dim a bit is no way of reading.",
        )  # fmt: skip
        yield figures.number_table(
            [
                {"features": f"2<sup>{row.log2_features}</sup>", "dims": d} | {rule: _of(row.capacity, rule)[i] for rule in TABLED}
                for row in table
                for i, d in sorted(enumerate(dims), key=lambda one: one[1])
            ],
            ("features", "dims", *TABLED), {"dims": ",d"} | dict.fromkeys(TABLED, ",.0f"),
            caption="The capacity table: how many features may be active at once, by features in all, dims, and how they are read. Success is 50%; "
            "rules of thumb (8 k ln N; 2 k (sqrt(ln N) + sqrt(ln k))^2) are for large N; no more than half of the features are counted.",
        )  # fmt: skip
        yield figures.lines(
            [{"d": d, "k": k, "rule": rule} for rule in DRAWN for d, k in zip(dims, held[rule], strict=True) if k > 0], "d", "k", "rule",
            colour_title="", log_x=True, log_y=True, curves={"one dim a bit": (np.sort(dims), np.sort(held["one dim a bit"]))},
            marks={WIDTHS.get(d, f"{d:,}"): d for d in dims}, x_title="dims d", y_title="features active at once, k",
            caption=f"How many of {n:,} features are read from d dims in half of all cases. A threshold gains in proportion to d, top-k less and l1 "
            "more.",
        )  # fmt: skip
        ks = _counts(n)
        yield figures.lines(
            [{"k": k, "price": price, "rule": rule} for rule in DRAWN for k, price in zip(ks, _of(middle.price, rule), strict=True)], "k", "price",
            "rule", colour_title="", log_x=True, log_y=True,
            curves={"8 ln N": (ks, np.full(len(ks), 8 * math.log(n))), "log2(N/k)": (ks, np.log2(n / ks))},
            x_title="features active already, k", y_title="dims for the next one, dd/dk",
            caption=f"What the next of {n:,} features costs, with success at 50%. Dashed: the source's two, of a threshold that is safe and of "
            "one dim a bit. One look pays as much or more for each further feature, a search less.",
        )  # fmt: skip
        at = int(np.flatnonzero(ks == 16)[0])
        yield figures.lines(
            [{"n": 2.0**row.log2_features, "dims": _of(row.bits, rule)[at], "rule": rule} for row in table for rule in DRAWN], "n", "dims", "rule",
            colour_title="", log_x=True, log_y=True, levels={"one dim a bit": 1, "2 ln 2": 2 * math.log(2)}, x_title="features N",
            y_title="dims a bit", caption="Dims over log2 C(N, k) for k = 16 active features, with success at 50%. 2 ln 2 is where l1 ends up.",
        )  # fmt: skip
        yield _reading_figure(rows)


def _table(n: int, dims: tuple[int, ...]) -> Row:
    """Capacities (rules, dims) and the dims that they need, prices (rules, counts), dims a bit (rules, counts)."""
    ks, rules = _counts(n), [theory.RULES[rule] for rule in TABLED]
    capacity = np.stack([theory.active_features(rule, n, list(dims)) for rule in rules])
    needed = [np.asarray(rule(n, np.clip(k, 1, n / 2)), dtype=float) for rule, k in zip(rules, capacity, strict=True)]
    dozen = float(theory.threshold_dims(n, 12))
    return Row(
        capacity=capacity,
        needed=np.where((capacity >= 1) & (capacity < n / 2), needed, np.nan),
        price=np.stack([theory.marginal_dims(rule, n, ks) for rule in rules]),
        bits=np.stack([theory.dims_per_bit(rule, n, ks) for rule in rules]),
        dozen_dims=dozen,
        reliable=float(theory.lasso_active(n, dozen, success=0.99)),
    )


def _counts(n: int) -> np.ndarray:
    """1, 4, 16, ... up to n / 16."""
    return 4.0 ** np.arange(int(math.log2(n / SPARSE)) // 2 + 1)


def _of(found: np.ndarray, rule: str) -> np.ndarray:
    return found[TABLED.index(rule)]


def _entry(rule: str, params: PriceOfAFeature.Params) -> Entry:
    """Where a rule is tried."""
    if rule in ("threshold", "top-k"):
        return Entry(rule, 2**params.look_log2_features, params.look_dims)
    return Entry(rule, 2**params.search_log2_features, params.search_dims)


def _price_claims(table: list[Row]) -> Iterable[Claim]:
    """Closed forms; the threshold's; how far apart the two prices of the source are."""
    apart, gap, thumb, shares = [], [], [], []
    for row in table:
        n = 2**row.log2_features
        k, bit, threshold = _counts(n), _of(row.price, "one dim a bit"), _of(row.price, "threshold")
        apart += [np.abs(_of(row.price, rule)[1:] / price - 1).max() for rule, price in closed_prices(n, k[1:]).items()]
        gap += list(np.log2(n / k) - bit)
        thumb += list(np.abs(threshold / threshold_price(n) - 1))
        shares += list(threshold / bit * np.log2(n / k) / (8 * math.log(n)))
    yield Claim(
        "the price of a feature, by differences of each rule, is the one in closed form: largest relative deviation", max(apart),
        expected=(None, DIGITS), reason="differences of fourth order over thousandths of k are right to 1e-8",
        source="8 ln N; digamma; 1 + tau^2 - kappa G(tau)",
    )  # fmt: skip
    most = math.log2(1.5615) - math.log2(1 - 1 / SPARSE)
    for what, found in (("least", min(gap)), ("most", max(gap))):
        yield Claim(
            f"log2(N/k) overstates the price at one dim a bit, by {most:.2f} dims at most up to k = N/{SPARSE}: at {what}", found,
            expected=(0, most), source="Gadzinski, 'When Numbers Are Bits'",
            reason="ln(x + 1/2) < digamma(x + 1) < ln(x + .5615): log2(1.5615) at k = 1, and what N - k lacks of N at the other end",
        )  # fmt: skip
    yield Claim(
        "a threshold's price at 50%, at any k, is 8 (ln N - ln(4 pi ln N)/2 - ln ln 2): largest relative deviation", max(thumb),
        expected=(None, 0.01), reason="what is left out, ln(4 pi ln N) / 4 ln N less Mills' 1/x^2, comes to some half a percent at N = 2^14",
    )  # fmt: skip
    least = 0.99 * min(threshold_price(2**row.log2_features) / (8 * math.log(2**row.log2_features)) for row in table)
    for what, found in (("least", min(shares)), ("most", max(shares))):
        yield Claim(
            "'these prices can easily vary by a factor of' 8 ln N / log2(N/k) = 5.5 / (1 - eta), at 50% success of a little less: "
            f"share of that, at {what}", found, expected=(least, 1.0), source="Gadzinski, 'When Numbers Are Bits'",
            reason="8 ln N is for safety; from below by the price at 50%, to 1%",
        )  # fmt: skip


def _limit_claims(price: np.ndarray) -> Iterable[Claim]:
    """4 / (1 - eta) and (1 + sqrt(eta)) / (1 - sqrt(eta)), of l1's price."""
    threshold, topk, l1 = price
    twice = 2 * (1 - ETA) * EXPONENTS[-1] * math.log(10)
    for rule, found, limit in (("a threshold", threshold / l1, 4 / (1 - ETA)), ("top-k", topk / l1, (1 + ETA**0.5) / (1 - ETA**0.5))):
        yield Claim(
            f"as N grows with k = N^{ETA}, a feature costs {limit:.3g} times as much under {rule} as under l1: at N = 10^{EXPONENTS[-1]}, over that",
            float(found[-1] / limit), expected=1.0, tolerance=3 * math.log(twice) / twice,
            reason="l1's price is 2L - 3 ln 2L + ..., L = ln(N/k): its second term over its first",
        )  # fmt: skip
        nearer = bool((np.diff(np.abs(found / limit - 1)) < 0).all())
        yield Claim(f"the ratio of prices of {rule} and l1 is nearer to its limit at every larger N", nearer, expected=True)


def _capacity_claims(table: list[Row], dims: np.ndarray) -> Iterable[Claim]:
    """Round trips, order, and a dozen."""
    capacity = np.stack([row.capacity for row in table])[:, :, np.argsort(dims)]
    yield Claim(
        "the capacity of d dims needs d dims: largest relative deviation",
        float(max(np.nanmax(np.abs(row.needed / dims - 1), initial=0.0) for row in table)), expected=(None, 1e-9),
        reason="roots to the last digits; a rounding of k moves d by as much",
    )  # fmt: skip
    half = np.array([2.0 ** (row.log2_features - 1) for row in table])[:, None, None]
    free = np.where(capacity < half, capacity, np.inf)  # no more than half of the features are counted
    yield Claim("more dims hold more features, under every rule", bool((free[..., 1:] >= free[..., :-1]).all()), expected=True)
    yield Claim("of more features fewer may be active, under every rule", bool((free[1:] <= free[:-1]).all()), expected=True)
    ordered = capacity[:, [TABLED.index(rule) for rule in ORDER]]
    yield Claim(f"fewest features first, at every size: {', '.join(ORDER)}", bool((np.diff(ordered, axis=1) >= 0).all()), expected=True)
    for row in table:
        yield Claim(
            f"'inconsistently storing a dozen': where a threshold reads 12 of 2^{row.log2_features} features half of the time, in "
            f"{row.dozen_dims:,.0f} dims, l1 reads {row.reliable:.0f} reliably (99%): dozens", row.reliable / 12, expected=(4.0, None),
            source="Gadzinski, 'When Numbers Are Bits'", reason="4 is the least that the ratio of their prices tends to, 4 / (1 - eta)",
        )  # fmt: skip


def _reading_claims(rows: Rows) -> Iterable[Claim]:
    """The table against codes that were read, and against the cones of l1."""
    for rule in READERS:
        entry, row = _entry(rule, rows.params), rows.at(kind="reading", rule=rule, batch=0)
        right, trials = _counted(rows, rule)
        fit = transition(row.k, trials - right, np.full(len(row.k), trials))
        yield Claim(
            f"{rule}: half of the codes are read from {entry.n_dims} dims with as many of {entry.n_features:,} features active as the table says: k",
            math.nan if fit is None else fit.d50, interval=None if fit is None else fit.interval, expected=row.tabled, tolerance=NEAR * row.width,
            reason=f"{NEAR:g} of the transition's width in features: the laws take correlations as independent, or N as large; 95% by likelihood",
        )  # fmt: skip
    entry, row = _entry("l1", rows.params), rows.at(kind="cones")
    shift, error = cone_shift(entry, row.k, row.chance, row.error)
    yield Claim(
        f"l1: the exact chance, by the cone's intrinsic volumes, is 50% within a dim of where the table has it (k = {row.tabled:.2f} of "
        f"{entry.n_features:,} in {entry.n_dims} dims): dims that the table asks for too many", shift,
        interval=(shift - 1.96 * error, shift + 1.96 * error), expected=0.0, tolerance=1.0, source="Amelunxen, Lotz, McCoy & Tropp 2014",
        reason="d is a whole number; the table has the volumes' mean, and a chi^2's median is 2/3 below its mean; 95% over the vectors drawn",
    )  # fmt: skip


def _counted(rows: Rows, rule: str) -> tuple[np.ndarray, int]:
    """How many codes were read at each number of active features, and of how many."""
    found = rows.where(kind="reading", rule=rule)
    return np.sum([row.right for row in found], axis=0), len(found) * rows.params.together


def _reading_figure(rows: Rows) -> "figures.Figure":
    """Shares read, over k as a multiple of the table's."""
    params, cones = rows.params, rows.at(kind="cones")
    points = []
    for rule in READERS:
        entry, row = _entry(rule, params), rows.at(kind="reading", rule=rule, batch=0)
        right, trials = _counted(rows, rule)
        for k, of_k in zip(row.k, right, strict=True):
            share, (low, high) = wilson(of_k, trials)
            points.append({"k": k / row.tabled, "share": share, "low": low, "high": high, "rule": f"{rule}, {entry.n_dims} dims"})
    entry = _entry("l1", params)
    for k, share, error in zip(cones.k, cones.chance, cones.error, strict=True):
        low, high = share - 1.96 * error, share + 1.96 * error
        points.append({"k": k / cones.tabled, "share": share, "low": low, "high": high, "rule": f"l1's cone, {entry.n_dims} dims"})
    curves, x = {}, np.linspace(min(point["k"] for point in points), max(point["k"] for point in points), 80)
    for rule, law in (("threshold", theory.threshold_success), ("top-k", theory.topk_success), ("l1", theory.lasso_success)):
        here = _entry(rule, params)
        curves[f"{rule}, theory"] = (x, np.asarray(law(here.n_dims, here.n_features, np.maximum(x * here.active, 1))))
    return figures.lines(
        points, "k", "share", "rule", colour_title="", error=("low", "high"), curves=curves, levels={"50%": 0.5}, marks={"as tabulated": 1.0},
        x_title="features active, over what the table says", y_title="share of codes read right",
        caption=f"Entries of the table, tried: {_entry('top-k', params).n_features:,} features in {params.look_dims} dims for one look, "
        f"{entry.n_features:,} in {entry.n_dims} for Bayes-AMP and l1. {params.batches * params.together} codes a point, through {params.batches} "
        f"random dictionaries; bars: Wilson, 95%. l1's chance is exact but for the {params.trials:,} vectors drawn a point.",
    )  # fmt: skip
