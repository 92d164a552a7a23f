"""The answer to 'Who can read it?', from what the steps stored alone: estimates with paired intervals, a verdict, tables, figures."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from tegum import figures
from tegum.auditing._answer import Answer, Finding
from tegum.auditing._paired import Estimate, Resampled, Totals, explained, gained, ratio, share
from tegum.auditing._read_cells import ALL, FEW, GIVEN, POLISHED
from tegum.auditing._subject import Subject
from tegum.auditing.readers import ENCODER, LASSO, ORTHOGONAL, READERS, REFITTED

QUESTION = "Who can read it?"
TRIED, OVER, GAUSSIAN = "message passing, tried", "other numbers of features", "Gaussian rows"
_OFF = 0.05  # of the features asked for: a lasso that is farther off is said to be
_FEWEST = 10  # groups: with fewer, intervals are rough
Steps = Mapping[str, Mapping[str, Any]]


def nothing(verdict: str) -> Answer:
    """The answer where there is nothing to compare."""
    return Answer(QUESTION, verdict)


def answered(subject: Subject, first: str, facts: Mapping[str, Any], steps: Steps, groups: Tensor, seed: int) -> Answer:
    """The whole answer; `first` is the reader that others are compared with."""
    told = _Told(subject, first, facts, steps, Resampled(int(groups.max()) + 1, seed))
    tables = {"readers": told.readers}
    tables |= {"other numbers of features": pd.DataFrame(told.over)} if told.over else {}
    tables |= {"loss recovered": pd.DataFrame(told.losses)} if told.losses else {}
    if TRIED in steps:
        trial = steps[TRIED]
        tables["message passing, tried"] = pd.DataFrame([
            {"decoder": name, "settled": share, "explained_variance": trial["explained"][name]} for name, share in trial["settled"].items()
        ])  # fmt: skip
    return Answer(QUESTION, told.verdict, tuple(told.findings), tables, tuple(told.figures), tuple(told.assumed))


class _Told:
    """Everything that is said, each from the sums of the steps."""

    def __init__(self, subject: Subject, first: str, facts: Mapping[str, Any], steps: Steps, drawn: Resampled) -> None:
        self.subject, self.first, self.facts, self.steps, self.drawn = subject, first, facts, steps, drawn
        cells = [(reader, which) for which in (GIVEN, POLISHED) for reader in READERS]
        self.cells = [pair for pair in cells if f"{pair[0]}, {pair[1]}" in steps]
        self.l0 = self._of((first, GIVEN), "on", "rows").value
        self.lines = {pair: self._line(*pair) for pair in self.cells}
        self.readers = pd.DataFrame(list(self.lines.values()))
        self.over, self.losses = self._over(), self._losses()
        self.omp, self.base = (ORTHOGONAL, GIVEN), (first, GIVEN)
        self.gain = self.difference(self.omp, self.base)
        self.null = self._null()
        self.above = _less(self.closed, self.null)

    def cell(self, pair: tuple[str, str]) -> Mapping[str, Any]:
        """What the step of that reader and dictionary stored."""
        return self.steps[f"{pair[0]}, {pair[1]}"]

    def sums(self, pair: tuple[str, str], part: str | None = None) -> Mapping[str, list[float]]:
        """Sums by groups, of all rows where it read all."""
        cell = self.cell(pair)
        return cell[part or (ALL if ALL in cell else FEW)]

    def explained(self, pair: tuple[str, str]) -> Estimate:
        """The explained variance of a cell."""
        sums = self.sums(pair)
        return self.drawn.estimate(explained, sums["error"], sums["spread"])

    def difference(self, one: tuple[str, str], other: tuple[str, str]) -> Estimate:
        """How much more one explains than the other of the rows that both have read."""
        part = ALL if ALL in self.cell(one) and ALL in self.cell(other) else FEW
        a, b = self.sums(one, part), self.sums(other, part)
        return self.drawn.estimate(gained, a["error"], b["error"], a["spread"])

    def _of(self, pair: tuple[str, str], top: str, bottom: str) -> Estimate:
        sums = self.sums(pair)
        return self.drawn.estimate(ratio, sums[top], sums[bottom])

    def _line(self, reader: str, which: str) -> dict[str, Any]:
        pair, cell = (reader, which), self.cell((reader, which))
        sums, value, more = self.sums(pair), self.explained(pair), self.difference(pair, (self.first, GIVEN))
        bits = self._of(pair, "bits", "rows").value
        line = {"reader": reader, "dictionary": which, "explained_variance": value.value, "low": value.low, "high": value.high}
        line |= {"more": more.value, "more_low": more.low, "more_high": more.high, "l0": self._of(pair, "on", "rows").value}
        if "both" in sums:
            same = self.drawn.estimate(lambda both, one, other: 2 * both / (one + other), sums["both"], sums["on"], sums["base"])
            line |= {"f1_with_encoder": same.value, "f1_low": same.low, "f1_high": same.high}
            line |= {"share_unused_by_encoder": self._of(pair, "unused", "on").value}
        line |= {
            "cosine": self._of(pair, "cosine", "rows").value,
            "bits": bits,
            "dims_per_bit": self.subject.n_dims / bits if bits else np.inf,
        }
        return line | {"settled": cell["settled"], "seconds_per_1000_rows": cell["seconds"], "rows": int(sum(sums["rows"]))}

    def _over(self) -> list[dict[str, Any]]:
        step = self.steps[OVER]
        found = []
        for reader in READERS:
            for place, count in enumerate(step["counts"]) if reader in step else ():
                value = self.drawn.estimate(explained, step[reader][place], step["spread"])
                line = {"reader": reader, "features": count, "explained_variance": value.value, "low": value.low, "high": value.high}
                found.append(line)
        return found

    def _losses(self) -> list[dict[str, Any]]:
        """Recovered by each reader with either dictionary, and how much more than by the first as given, resampled by batches."""
        found = []
        for which, reader in itertools.product((GIVEN, POLISHED), READERS):
            if (step := self.steps.get(f"loss by {reader}, {which}")) is None:
                continue
            ours, other = (np.array(told["losses"]) for told in (step, self.steps[f"loss by {self.first}, {GIVEN}"]))
            weights = np.array(step["weights"])
            drawn = Resampled(len(weights), self.drawn.seed)
            clean, spliced, ablated = (ours * weights[:, None]).T
            kept = drawn.estimate(lambda s, a, c: (a - s) / (a - c), spliced, ablated, clean)
            more = drawn.estimate(lambda s, o, a, c: (o - s) / (a - c), spliced, other[:, 1] * weights, ablated, clean)
            found.append({
                "reader": reader, "dictionary": which, "recovered": kept.value, "low": kept.low, "high": kept.high,
                "more": more.value, "more_low": more.low, "more_high": more.high, "clean": clean.sum() / weights.sum(),
                "spliced": spliced.sum() / weights.sum(), "ablated": ablated.sum() / weights.sum(), "batches": len(weights),
            })  # fmt: skip
        return found

    def _null(self) -> Estimate:
        step = self.steps[GAUSSIAN]
        return Resampled(len(step["spread"]), self.drawn.seed).estimate(_closed, step[ORTHOGONAL], step[self.first])

    @property
    def closed(self) -> Estimate:
        """The share of what the first reader leaves unexplained that OMP explains."""
        return self.drawn.estimate(_closed, self.sums(self.omp)["error"], self.sums(self.base)["error"])

    @property
    def verdict(self) -> str:
        """Who explains how much, and how much of that would come on rows without features."""
        who = "the encoder" if self.first == ENCODER else "the matched filter"
        words = (
            f"At {self.l0:.3g} features a row, OMP on the same dictionary explains {self.explained(self.omp)} of the variance of "
            f"{self.facts['rows']:,} rows held out, {who} {self.explained(self.base)}: "
        )
        if self.gain.low > 0:
            words += f"OMP explains {self.gain} more than {who}"
            if self.first == ENCODER and (REFITTED, GIVEN) in self.cells:
                words += f", {share(self.difference((REFITTED, GIVEN), self.base).value)} of it by better values for the same features"
        elif self.gain.high < 0:
            words += f"recovery finds nothing that {who} misses, and lacks {Estimate(-self.gain.value, -self.gain.high, -self.gain.low)}"
        else:
            words += f"which of the two explains more can not be told ({self.gain})"
        words += f". That is {self.closed} of what {who} leaves; on Gaussian rows of the same covariance, which hold no features, it is {self.null}"
        if self.gain.low > 0 and self.above.low > 0:
            words += f": {self.above} more than there, so recovery finds what {who} misses"
        elif self.gain.low > 0:
            told = "" if self.above.high < 0 else ", as far as can be told"
            words += f": no more than there{told}, so the gain does not show that {who} misses features"
        return words + (f". {self._in_model}" if self.losses else ".")

    @property
    def _in_model(self) -> str:
        line = next(line for line in self.losses if (line["reader"], line["dictionary"]) == (ORTHOGONAL, GIVEN))
        more = Estimate(line["more"], line["more_low"], line["more_high"])
        kept = Estimate(line["recovered"], line["low"], line["high"])
        return f"With OMP's reconstruction in its place the model keeps {kept} of its loss, {more} more than with the other's."

    @property
    def findings(self) -> list[Finding]:
        """The numbers of the verdict, and some more."""
        who = "the encoder" if self.first == ENCODER else "the matched filter"
        bits = self.lines[self.base]["dims_per_bit"]
        found = [
            Finding("features_per_row", self.l0, words=f"features on in a row by {who}, on average; all readers may have as many"),
            Finding("dims_per_bit", bits, words=f"dims over log2 of the number of sets of so many of {self.subject.n_features:,}"),
            _finding("first_explains", self.explained(self.base), f"of the variance of rows held out, by {who}"),
            _finding("omp_explains", self.explained(self.omp), "by OMP with the same directions and as many features"),
            _finding("gain", self.gain, f"what OMP explains more than {who}, on the same rows"),
            _finding("gain_of_missed", self.closed, f"that gain as a share of what {who} leaves unexplained"),
            _finding("gain_of_missed_on_gaussian_rows", self.null, "the same share on Gaussian rows of the same covariance, which hold no features"),
            _finding("gain_of_missed_above_gaussian", self.above, "the former share less the latter, which is what noise gives"),
        ]  # fmt: skip
        if (REFITTED, GIVEN) in self.cells:
            found += [
                _finding("gain_by_values", self.difference((REFITTED, GIVEN), self.base), "what the best values for its features explain more"),
                _finding("gain_by_choice", self.difference(self.omp, (REFITTED, GIVEN)), "what OMP's choice of features explains more than that"),
            ]  # fmt: skip
        if (ORTHOGONAL, POLISHED) in self.cells:
            omp, first = (ORTHOGONAL, POLISHED), (self.first, POLISHED)
            found += [
                _finding("omp_explains_polished", self.explained(omp), "by OMP with the polished directions"),
                _finding("gain_of_polish", self.difference(omp, self.omp), "what polishing the directions gains OMP"),
                _finding("gain_polished", self.difference(omp, first), f"what OMP explains more than {who} with the polished directions"),
            ]
        if self.first == ENCODER:
            line = self.lines[self.omp]
            same = Estimate(line["f1_with_encoder"], line["f1_low"], line["f1_high"])
            found.append(_finding("agreement", same, "F1 of which features OMP and the encoder have on"))
            found.append(
                Finding(
                    "unused",
                    line["share_unused_by_encoder"],
                    words="share of OMP's codes on features never on in the encoder's",
                )
            )
        for line in self.losses:
            if line["dictionary"] == GIVEN and line["reader"] in (self.first, ORTHOGONAL):
                kept = Estimate(line["recovered"], line["low"], line["high"])
                found.append(
                    _finding(f"loss_recovered_by_{'omp' if line['reader'] == ORTHOGONAL else 'first'}", kept, f"by {line['reader']}")
                )
        return found

    @property
    def figures(self) -> list[Any]:
        """Who explains how much; how much more than the first; at other numbers of features."""
        how = f"{self.subject.n_features:,} features in {self.subject.n_dims} dims, {self.l0:.3g} on a row; {self._whose}"
        some = f" The lasso and message passing read {self.facts['few']:,} of them." if self.facts["few"] < self.facts["rows"] else ""
        drawn = [
            figures.intervals(
                self.readers, "reader", "explained_variance", "low", "high", "dictionary", x_title="explained variance", y_title=" ",
                caption=f"Who explains how much of rows held out, at as many features a row ({how}). Bars: 95%.{some}",
            ),
        ]  # fmt: skip
        least = float(np.nanmin([[line["low"], line["explained_variance"]] for line in self.lines.values()]))
        if least > 0:  # else the axis would begin at 0
            drawn[0].update_xaxes(range=[least - 0.04, min(1.0, float(np.nanmax([line["high"] for line in self.lines.values()])) + 0.04)])
        others = self.readers[(self.readers["reader"] != self.first) | (self.readers["dictionary"] != GIVEN)]
        drawn.append(
            figures.intervals(
                others, "reader", "more", "more_low", "more_high", "dictionary", y_title=" ",
                x_title=f"explained variance less that of the {self.first}, directions as given",
                marks={"no difference": 0.0},
                caption=f"What each explains more than the {self.first} with the directions as given, on the same rows ({how}). Bars: 95%.",
            )
        )  # fmt: skip
        there = {reader for reader, _ in self.cells}
        drawn[1].update_yaxes(categoryarray=[reader for reader in READERS if reader in there][::-1])
        if len(self.steps[OVER]["counts"]) > 1:
            drawn.append(
                figures.lines(
                    self.over, "features", "explained_variance", "reader", error=("low", "high"), log_x=True, colour_title="",
                    x_title="features on a row", y_title="explained variance",
                    caption=f"Explained variance at other numbers of features on, directions as given: {self.facts['few']:,} rows held out.",
                )
            )  # fmt: skip
        return drawn

    @property
    def _whose(self) -> str:
        rows, by = self.facts["rows"], self.facts["by"]
        return f"{rows:,} rows of {self.facts['documents']:,} documents held out" if by == "documents" else f"{rows:,} rows held out"

    @property
    def _lasso_short(self) -> list[str]:
        """Where the lasso could not be brought to as many features as the others have."""
        few = self.sums(self.base, FEW)
        wanted = self.facts["n_active"] or sum(few["on"]) / sum(few["rows"])
        reached, dims = self.lines[LASSO, GIVEN]["l0"], self.subject.n_dims
        if abs(reached - wanted) <= _OFF * wanted:
            return []
        why = f" It is brought to no more than there are dims, {dims:,}: refitted codes need no more." if wanted > dims else ""
        return [f"The lasso has {reached:.3g} features on a row, on average, where {wanted:.3g} are asked for: as near as was found.{why}"]

    @property
    def assumed(self) -> list[str]:
        """What an honest reader has to know."""
        facts = self.facts
        who = "encoder" if self.first == ENCODER else "matched filter"
        unseen = ", which the polish has not seen" if facts["polished"] == "made" else ""
        found = [f"Read on {self._whose}{unseen}; the lasso's penalty is set on them, by how many features are on."]
        if self.first == ENCODER:
            found.append(
                "The autoencoder has not seen these rows either: they are held out of its own training." if facts["unseen"] else
                "Whether the autoencoder saw these rows in its training is not known; if it did, that is in its favour."
            )  # fmt: skip
        if facts["by"] == "rows":
            found.append(
                "Intervals resample rows, as if each came alone; rows of one document are alike, and then the intervals are too narrow."
            )
        if self.drawn.n_groups < _FEWEST:
            found.append(f"There are {self.drawn.n_groups} groups to resample: intervals are rough.")
        found.append(
            f"Every row has as many features as the {who} uses there; the lasso as many on average, at one penalty."
            if facts["n_active"] is None else f"Every row may have {facts['n_active']:g} features, the lasso as many on average."
        )  # fmt: skip
        if (LASSO, GIVEN) in self.cells:
            found += self._lasso_short
        found.append(
            "OMP is made to explain x and gains some on any rows; explained variance does not say that what it turns on is what the layer means."
        )
        if TRIED in self.steps:
            found.append(self.steps[TRIED]["words"])
        if (self.first, POLISHED) in self.cells:
            cell = self.cell((self.first, POLISHED))
            how = f"; the encoder is {cell['encoder']}" if cell["encoder"] else ""
            made = f"{facts['passes']} passes over {facts['train']:,} training rows" if facts["polished"] == "made" else "given"
            found.append(f"Polished directions: {made}, {cell['replaced']:,} features began anew{how}.")
        return found


def _closed(error: Totals, other: Totals) -> Totals:
    """The share of the other's error that is gone."""
    return 1 - error / other


def _less(one: Estimate, other: Estimate) -> Estimate:
    """The difference of two estimates on different rows: distances of the ends of both intervals, added in squares (MOVER; Zou & Donner 2008)."""
    value = one.value - other.value
    below = np.hypot(one.value - one.low, other.high - other.value)
    above = np.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value, float(value - below), float(value + above))


def _finding(name: str, estimate: Estimate, words: str) -> Finding:
    return Finding(name, estimate.value, estimate.low, estimate.high, words)
