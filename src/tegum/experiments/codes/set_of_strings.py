"""A set of strings in superposition: hash each to a direction of +-1, add them up, and ask for a string by its mean product with the sum.

Whether a string is in the set is read off one number, which is 1 for a member and 0 for another, but for noise of the other members. That noise
is a sum of independent signs, d for each other member, so its law is binomial, exactly: how many strings fit in how many dims follows.

Beside every sum stand two Bloom filters (rbloom) of the same strings, asked for the same others: one of as many bits, and one as large as makes it
wrong as often. Each string has 128 bits of BLAKE2b, so that another run hashes alike.
"""

import math
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt
from rbloom import Bloom
from scipy.fft import next_fast_len
from scipy.stats import betabinom, binom, binomtest, norm

from tegum import figures
from tegum.capacity import StringSet
from tegum.experiments import Cell, Claim, Experiment, Row, Rows

EDGES = np.linspace(-1.5, 2.5, 65)
LEAST_RATE = 1e-300  # that a Bloom filter is made for: of 1,400 bits a member, far below any that could be seen
SURE = 1e-3  # the chance that a right law is refuted by one of the cells


class SetOfStrings(Experiment):
    """Readings of members and of other strings, over the number of dims and how many of them there are a member."""

    id = "B1"
    version = 2
    title = "A set of strings in one vector: hashed, added up, and read back"
    source = "Gadzinski, 'When Numbers Are Bits'; Bloom 1970"

    class Params(Experiment.Params):
        """Dims, and dims a member; sets a cell, and other strings that each set is asked for."""

        n_dims: tuple[PositiveInt, ...] = (256, 1024, 4096)
        dims_per_member: tuple[Annotated[int, Field(ge=2)], ...] = (4, 8, 16, 32, 64)
        sets: Annotated[int, Field(ge=10)] = 400
        others: PositiveInt = 500

    presets = {"quick": Params(n_dims=(256, 1024), sets=60, others=300), "paper": Params()}

    def cells(self, params: Params) -> list[Cell]:
        """One a size."""
        return [Cell(n_dims=d, dims_per_member=ratio) for d in params.n_dims for ratio in params.dims_per_member]

    def run(self, cell: Cell, params: Params) -> Row:
        """Make sets, ask each for its members and for others."""
        d, k = cell.n_dims, max(2, cell.n_dims // cell.dims_per_member)
        members, others, bits, equal, small = [], [], [], [], []
        goal = bloom_bits(k, error_rates(d, k)[0])
        for number in range(params.sets):
            seed = params.seed + number
            names = [f"{number}, member {i}" for i in range(k)]
            s = StringSet(names, n_dims=d, seed=seed)
            members.append(s.query(names).reading.numpy())
            strangers = [f"{number}, other {i}" for i in range(params.others)]
            others.append(s.query(strangers).reading.numpy())
            bits.append(s.bits)
            hashes = _hashes(names), _hashes(strangers)
            equal.append(bloom_errors(*hashes, s.bits))
            small.append(bloom_errors(*hashes, goal))
        inside, outside = np.array(members), np.array(others)
        return Row(
            n_active=k,
            member_mean=inside.mean(1),
            member_square=((inside - 1) ** 2).mean(1),
            other_mean=outside.mean(1),
            other_square=(outside**2).mean(1),
            missed=(inside <= 0.5).mean(1),
            wrong=(outside > 0.5).mean(1),
            member_counts=np.histogram(inside, EDGES)[0],
            other_counts=np.histogram(outside, EDGES)[0],
            bits=float(np.mean(bits)),
            equal_bits=np.mean(equal, axis=0)[1],
            equal_wrong=np.array(equal)[:, 0],
            small_bits=small[0][1],
            small_wrong=np.array(small)[:, 0],
        )

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """Means and noise by what one set gives, for readings of one set share its members; both kinds of error by their counts; the price."""
        worst = float(norm.isf(SURE / 2 / len(rows)))
        how = f"the largest of {len(rows)} cells, in standard errors over the sets; a right law is above once in {round(1 / SURE):,}"
        laws = {
            "members read 1 on average": lambda row, d, k: (row.member_mean, 1.0),  # noqa: ARG005
            "other strings read 0 on average": lambda row, d, k: (row.other_mean, 0.0),  # noqa: ARG005
            "the variance of what members read is (k - 1) / d": lambda row, d, k: (row.member_square, (k - 1) / d),
            "the variance of what others read is k / d": lambda row, d, k: (row.other_square, k / d),
        }
        for what, law in laws.items():
            deviations = [_deviation(*law(row, row.n_dims, row.n_active)) for row in rows]
            yield Claim(f"{what}: largest deviation", float(np.max(deviations)), expected=(None, worst), reason=how)
        others = rows.params.others
        for what, counted in (
            ("others read above 1/2", lambda row, d, k: (row.wrong, others, error_rates(d, k)[0], shared_errors(d, k)[0])),
            ("members read below 1/2", lambda row, d, k: (row.missed, k, error_rates(d, k)[1], shared_errors(d, k)[1])),
        ):
            values = [p_value(*counted(row, row.n_dims, row.n_active)) for row in rows]
            yield Claim(
                f"{what} as often as the binomial law says: p-value", min(1.0, min(values) * len(values)), expected=(SURE, None),
                reason=f"the smallest of {len(values)} cells, times their number; two-sided, of all errors of a cell together, by a binomial "
                "law with the correlation that errors of one set have; where 5 are expected, a normal law would not do",
            )  # fmt: skip
        yield from _bloom_claims(rows)

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """The two humps; both errors; what it costs."""
        params = rows.params
        d, ratio = max(params.n_dims), sorted(params.dims_per_member)[len(params.dims_per_member) // 2]
        row = rows.at(n_dims=d, dims_per_member=ratio)
        k = row.n_active
        x = np.linspace(EDGES[0], EDGES[-1], 400)
        yield figures.histogram(
            EDGES, {"other strings": row.other_counts, "members": row.member_counts}, x_title="reading", marks={"threshold": 0.5},
            curves={f"N({mean}, {law})": (x, norm.pdf(x, mean, (n / d) ** 0.5)) for mean, law, n in ((0, "k/d", k), (1, "(k-1)/d", k - 1))},
            caption=f"What {k} members and {params.others} other strings read in {d:,} dims, {params.sets} sets.",
        )  # fmt: skip
        table = [
            {"dims_per_member": row.dims_per_member, "rate": rate, "low": low, "high": high, "error": f"{what}, d = {row.n_dims:,}"}
            for row in rows
            for what, values in (
                ("false positives", row.wrong),
                ("misses", row.missed),
                ("Bloom filter of as many bits, false positives", row.equal_wrong),
            )
            if (found := _interval(values))
            for rate, low, high in [found]
        ]
        fine = np.geomspace(min(params.dims_per_member), max(params.dims_per_member), 100)
        yield figures.lines(
            table, "dims_per_member", "rate", "error", colour_title="", error=("low", "high"), log_x=True, log_y=True,
            curves={"Q(sqrt(d/k)/2)": (fine, norm.sf(np.sqrt(fine) / 2))}, x_title="dims a member, d/k", y_title="chance of an error",
            caption="How often a string that is not in the set reads above 1/2, and one that is in it below; bars: 95% intervals over sets. Not "
            "drawn: rates of which nothing was seen, as of most Bloom filters of as many bits.",
        )  # fmt: skip
        bits = [
            {"dims_per_member": row.dims_per_member, "bits": bits / row.n_active, "n_dims": f"{what}, d = {row.n_dims:,}"}
            for row in rows
            for what, bits in (("sum", row.bits), ("Bloom filter made as seldom wrong", row.small_bits))
        ]
        bloom = np.array([bloom_bits(1, float(norm.sf(math.sqrt(ratio) / 2))) for ratio in fine])
        yield figures.lines(
            bits, "dims_per_member", "bits", "n_dims", colour_title="", log_x=True, log_y=True,
            curves={"1.44 log2(1/rate)": (fine, bloom)}, x_title="dims a member, d/k", y_title="bits a member",
            caption="What a member costs: the sum with each dim as a number of the least width that holds them all, and the best Bloom "
            "filters with as many false positives (and no misses), as made and by theory.",
        )  # fmt: skip


def _bloom_claims(rows: Rows) -> Iterable[Claim]:
    """Against Bloom filters of as many bits, and of as many false positives."""
    asked = len(rows) * rows.params.sets * rows.params.others
    theirs, ours = (round(sum(float(row[column].sum()) for row in rows) * rows.params.others) for column in ("equal_wrong", "wrong"))
    high = float(binomtest(theirs, asked).proportion_ci(method="exact").high)
    size = float(np.mean([row.equal_bits / row.bits for row in rows]))
    yield Claim(
        f"Bloom filters of as many bits as the sums ({size:.3f} times as many) take fewer other strings for members: {theirs:,} to {ours:,} of "
        f"{asked:,}, ratio",
        theirs / ours if ours else math.nan, interval=(0.0, high * asked / ours if ours else math.nan), expected=(None, 1.0),
        reason="all cells together; the interval's upper end is that of Clopper and Pearson's 95% interval",
    )  # fmt: skip
    ratio, interval = _ratio([row.small_wrong for row in rows], [row.wrong for row in rows])
    yield Claim(
        "Bloom filters made for as many false positives as theory says of the sums have as many: ratio, all cells together", ratio,
        interval=interval, expected=1.0, tolerance=0.1, source="Bloom 1970",
        reason="whole bytes and whole numbers of hashes move small filters by some hundredths; 2 standard errors over sets",
    )  # fmt: skip
    least = min(rows, key=lambda row: row.bits / row.small_bits)
    yield Claim(
        f"such a Bloom filter takes fewer bits than the sum: least ratio of theirs, {least.n_active} members in {least.n_dims:,} dims",
        least.bits / least.small_bits, expected=(1.0, None), reason="bits as they were taken; the sum can lose members, count them and be read by "
        "parts of it, and pays for that",
    )  # fmt: skip


def bloom_errors(members: Sequence[int], others: Sequence[int], bits: float) -> tuple[float, int]:
    """The share of `others` that a Bloom filter of about so many bits takes for members, and how many bits it has. Keys are 128-bit hashes."""
    filled = Bloom(len(members), max(math.exp(-bits / len(members) * math.log(2) ** 2), LEAST_RATE), hash_func=int)
    filled.update(members)
    return sum(key in filled for key in others) / len(others), filled.size_in_bits


def _hashes(keys: Iterable[str]) -> list[int]:
    return [int.from_bytes(blake2b(key.encode(), digest_size=16).digest(), signed=True) for key in keys]


def error_rates(n_dims: int, n_active: int) -> tuple[float, float]:
    """The chances that one that is not in the set reads above 1/2, and that a member does not: sums of d k and d (k - 1) independent signs."""
    wrong = binom.sf(math.floor((n_dims * n_active + n_dims / 2) / 2), n_dims * n_active, 0.5)
    signs = n_dims * (n_active - 1)
    return float(wrong), float(binom.cdf(math.floor((signs - n_dims / 2) / 2), signs, 0.5))


def shared_errors(n_dims: int, n_active: int) -> tuple[float, float]:
    """The correlations of two others' errors, and of two members', in one set. Counts of a set vary more than a binomial law's where it is above 0.

    Two strings agree in a of d dims. What the set's other strings add to both readings is P + Q and P - Q, of (dims that agree, dims that do not)
    times as many independent signs; signs are taken as normal here, and a too.
    """
    x = np.linspace(-9, 9, 361)
    weight = norm.pdf(x) / norm.pdf(x).sum()
    nodes, share = np.polynomial.legendre.leggauss(80)  # for |Q|, from 0 to 9 standard deviations
    beyond, share = 4.5 * (1 + nodes), share * norm.pdf(4.5 * (1 + nodes)) * 9
    agree = np.clip(n_dims / 2 + x * math.sqrt(n_dims) / 2, 0, n_dims)

    def correlation(strings: float, least: np.ndarray) -> float:
        """Of P + Q > least, and P - Q > least, where so many strings add to both."""
        strings = max(strings, 1e-9)
        Q = beyond[:, None] * np.sqrt((n_dims - agree) * strings)
        both = share @ norm.sf((least + Q) / np.sqrt(np.maximum(agree * strings, 1e-9))) @ weight
        one = weight @ norm.sf(least / math.sqrt(n_dims * strings))
        return float((both - one**2) / (one * (1 - one))) if 0 < one < 1 else 0.0

    half = n_dims / 2
    return correlation(n_active, np.full_like(x, half)), correlation(n_active - 2, half + 2 * agree - n_dims)


def p_value(of_sets: np.ndarray, number: int, rate: float, shared: float) -> float:
    """Two-sided p-value of all errors together: `of_sets` are the shares of `number` readings, each wrong at `rate`, correlated by `shared`.

    Binomial in all, if they are not correlated; else a sum of beta-binomial counts, one a set.
    """
    sets, count = len(of_sets), round(float(of_sets.sum()) * number)
    shared = min(shared, 0.999)
    if shared < 1e-7 or not 0 < rate < 1:
        below, above = binom.cdf(count, sets * number, rate), binom.sf(count - 1, sets * number, rate)
    else:
        ratio = 1 / shared - 1
        of_one = betabinom.pmf(np.arange(number + 1), number, rate * ratio, (1 - rate) * ratio)
        size = sets * number + 1
        total = np.fft.irfft(np.fft.rfft(of_one, next_fast_len(size, real=True)) ** sets, next_fast_len(size, real=True))[:size]
        below, above = total[: count + 1].sum(), total[count:].sum()
    return float(np.clip(2 * min(below, above), 0.0, 1.0))


def bloom_bits(n_active: int, rate: float) -> float:
    """The bits of the best Bloom filter with that false positive rate: k log2(1/rate) / ln 2 (Bloom 1970; Mitzenmacher & Upfal 2005, sec. 5.5)."""
    return n_active * math.log2(1 / rate) / math.log(2)


def _deviation(of_sets: np.ndarray, law: float) -> float:
    """|mean - law| in standard errors."""
    error = of_sets.std(ddof=1) / math.sqrt(len(of_sets))
    if error == 0:
        return 0.0 if of_sets.mean() == law else math.inf
    return float(abs(of_sets.mean() - law) / error)


def _ratio(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> tuple[float, tuple[float, float]]:
    """Of the sums of means of sets, a cell each, with 2 standard errors; nan where nothing was seen."""
    above, below = (sum(float(cell.mean()) for cell in cells) for cells in (one, other))
    if not above or not below:
        return math.nan, (math.nan, math.nan)
    spread = [first / above - second / below for first, second in zip(one, other, strict=True)]
    error = math.sqrt(sum(cell.var(ddof=1) / len(cell) for cell in spread))
    return above / below, (above / below * math.exp(-2 * error), above / below * math.exp(2 * error))


def _interval(of_sets: np.ndarray) -> tuple[float, float, float] | None:
    mean, error = float(of_sets.mean()), float(of_sets.std(ddof=1)) / math.sqrt(len(of_sets))
    return (mean, max(mean - 1.96 * error, mean / 10), mean + 1.96 * error) if mean > 0 else None
