"""Is it superposition? A test of activations against laws that have none: elliptical ones, and a complete basis of sparse features.

Two things are asked. Have directions (centred, whitened by Tyler's scatter, of one length) more third- and fourth-order structure than the
uniform sphere, which every Gaussian and every elliptical law gives, whatever its covariance and its tails? And does a complete basis, as many
features as dims, leave interactions of three or four coordinates, which independent features do not have? What one common factor explains of
them is left out, for that is what codes with a fixed number on, a scale that all features of a row share, and a centre that is not theirs bring
in. An overcomplete set of features leaves interactions in every basis.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tegum.activations import Activations
from tegum.auditing._answer import Answer, Finding
from tegum.auditing._complete_basis import FOURTH, THIRD, complete_basis, surviving_share
from tegum.auditing._independent_rows import first_of_each, independent_rows
from tegum.auditing._interactions import interactions, totals
from tegum.auditing._whitening import Whitened, whitened
from tegum.checks import check_count, check_seed
from tegum.progress import bar
from tegum.results import Result
from tegum.shapes import Float

if TYPE_CHECKING:
    import pandas as pd

QUESTION = "Is it superposition?"
LEVEL = 0.05
SMALL = 0.07  # of the structure: what noise on a complete basis can leave (C4)
LEAST_DIMS = 5  # in fewer one common factor accounts for nearly all that twice as many features leave
LEAST_ROWS = 8  # for each dim, for the test to say anything
FOUND = 0.25  # of a basis' contrast that must survive on other rows: where less does, no basis was found, and a wrong one leaves anything
_MANY = 512  # dims, from which on one start does: of MiniLM's 1,536 neurons three ended within .5% of each other
_DRAWS_AT_ONCE = 10  # of a reference, a step of what can be resumed
Keep = Callable[[str, Callable[[], dict[str, Any]]], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class SuperpositionTest(Result):
    """What the test found. Structure is squared length of moment tensors over 3! and 4!, twice the leading terms of negentropy.

    `explained` is that of the features of the complete basis, each by itself, on the rows that it was fitted to; `survives` is the share of it that
    is there on others, from half of the rows to the other half. `left` is in interactions of three and four of them and not by one
    common factor, without bias, so that it may be negative. `z_structure`, `z_left` are the larger of the third and fourth order's in standard
    errors, of all structure of directions and of what is left; `elliptical`, `complete` are the same of data drawn from either law, and
    `complete_share` is the share left of the latter. `rows` counts rows that differ, `rank` in how many of the dims they vary.
    """

    rows: int
    n_dims: int
    rank: int
    survives: float
    explained: float
    left: float
    z_structure: float
    z_left: float
    elliptical: Float[Tensor, " draws"]
    complete: Float[Tensor, " fitted"]
    complete_share: Float[Tensor, " fitted"]

    @property
    def testable(self) -> bool:
        """Whether there were rows enough, 8 a dim, and dims that vary, 5."""
        return self.rank >= LEAST_DIMS and self.rows >= LEAST_ROWS * self.rank

    @property
    def p_elliptical(self) -> float:
        """Of an elliptical law, a Gaussian of the same covariance or one of heavy tails: (1 + draws at or above) / (1 + draws)."""
        return _p(self.z_structure, self.elliptical) if self.testable else math.nan

    @property
    def found(self) -> bool:
        """Whether a complete basis was found: enough of one survives on other rows."""
        return self.testable and self.survives >= FOUND

    @property
    def p_complete(self) -> float:
        """Of a complete basis of sparse features, fitted to these rows; nan where there are too few rows to find one."""
        return _p(self.z_left, self.complete) if self.found else math.nan

    @property
    def p_value(self) -> float:
        """Of both: the larger, for data without superposition may be of either law. nan where only the second could decide, and is not known."""
        if self.found or not self.testable:
            return max(self.p_elliptical, self.p_complete)
        return self.p_elliptical if self.p_elliptical > LEVEL else math.nan

    @property
    def share_left(self) -> float:
        """The effect size: left / (left + explained), nan where no structure is found."""
        return share(self.left, self.explained) if self.found and self.p_elliptical <= LEVEL else math.nan

    @property
    def superposed(self) -> bool:
        """Whether p is at most .05 and more is left than noise, rates that differ or the like leave of a complete basis: `SMALL`, .07 (C4)."""
        return self.p_value <= LEVEL and self.share_left > SMALL

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a law without superposition."""
        import pandas as pd

        return pd.DataFrame(
            {
                "law": ["elliptical (Gaussian, heavy tails)", "complete basis of sparse features"],
                "statistic": [self.z_structure, self.z_left],
                "draws": [len(self.elliptical), len(self.complete)],
                "draws_median": [_quantile(self.elliptical, 0.5), _quantile(self.complete, 0.5)],
                "draws_95": [_quantile(self.elliptical, 0.95), _quantile(self.complete, 0.95)],
                "p_value": [self.p_elliptical, self.p_complete],
            }
        )

    def __repr__(self) -> str:
        if not self.testable:
            return f"SuperpositionTest({self.rows:,} rows in {self.rank} dims that vary: too few to say)"
        if not self.found and self.p_elliptical <= LEVEL:
            return f"SuperpositionTest({self.rows:,} rows in {self.rank} dims: structure, but too few rows to find a complete basis)"
        undecided = self.p_value <= LEVEL or 1 / (1 + len(self.elliptical)) > LEVEL
        said = "superposition" if self.superposed else "undecided" if undecided else "no sign of superposition"
        return f"SuperpositionTest({said}, p {self.p_value:.3g}; a complete basis leaves {self.share_left:.1%} of the structure; {self.rows:,} rows)"


def superposition_test(
    x: Float[Tensor, "rows dims"],
    *,
    references: int | None = None,
    starts: int | None = None,
    seed: int = 0,
    keep: Keep | None = None,
    progress: bool | None = None,
) -> SuperpositionTest:
    """Test rows, which must be independent of each other: as few of one document as can be, to which `superposition` sees.

    Of rows that are the same to the bit, as those are with no feature on, one is tested.

    `references` data sets are drawn from either law, 199 by default up to 64 dims, 39 up to 512, then 19; `starts` random bases are climbed from.
    Raises ValueError for x that is not rows of finite numbers.
    """
    if x.ndim != 2 or not x.is_floating_point() or not x.isfinite().all():
        raise ValueError(f"x has shape {tuple(x.shape)} and dtype {x.dtype}; it must be rows of finite floating-point numbers")
    check_seed(seed)
    x = x[first_of_each(x)]
    whole = whitened(x)
    d = whole.rank
    if references is None:
        references = 199 if d <= 64 else 39 if d <= 512 else 19
    if starts is None:
        starts = _starts(d)
    check_count("references", references)
    check_count("starts", starts)
    if d < LEAST_DIMS or len(x) < LEAST_ROWS * d:
        nothing = torch.zeros(0, dtype=torch.float64)
        return SuperpositionTest(len(x), x.shape[1], d, math.nan, math.nan, math.nan, math.nan, math.nan, nothing, nothing, nothing)
    keep = keep or (lambda _, compute: compute())
    observed: dict[str, Any] = {}

    def basis() -> Float[Tensor, "rank rank"]:
        if "basis" not in observed:
            observed["basis"] = complete_basis(whole.rows, whole.gaussian_fourth, starts, seed)[0]
        return observed["basis"]

    with bar("test of superposition", 2 * references + 1, "data sets", progress) as tell:
        survives = keep("survives", lambda: {"share": surviving_share(whole.rows, whole.gaussian_fourth, starts, seed)})["share"]
        found = keep("observed", lambda: {"z_structure": _structure(whole)} | _beside(whole, basis()))
        tell(1)
        drawn: dict[str, list[float]] = {"elliptical": [], "complete": [], "complete_share": []}
        for law in ("elliptical", "complete") if survives >= FOUND else ("elliptical",):
            for first in range(0, references, _DRAWS_AT_ONCE):
                places = range(first, min(first + _DRAWS_AT_ONCE, references))
                draw = _elliptical if law == "elliptical" else _complete
                part = keep(f"{law} {first}", lambda draw=draw, places=places: draw(x, whole, basis, places, seed))
                for name, numbers in part.items():
                    drawn[name] += numbers
                tell(1 + places[-1] + 1 + references * (law == "complete"))
    laws = {name: torch.tensor(numbers, dtype=torch.float64) for name, numbers in drawn.items()}
    return SuperpositionTest(
        rows=len(x), n_dims=x.shape[1], rank=d,
        survives=survives, explained=found["explained"], left=found["left"], z_structure=found["z_structure"], z_left=found["z_left"],
        elliptical=laws["elliptical"], complete=laws["complete"], complete_share=laws["complete_share"],
    )  # fmt: skip


def statistics(x: Float[Tensor, "rows dims"], *, starts: int | None = None, seed: int = 0) -> dict[str, float]:
    """What the test looks at, of rows alone, nothing drawn for comparison: z_structure, z_left, left, explained as in `SuperpositionTest`."""
    whole = whitened(x[first_of_each(x)])
    basis, _ = complete_basis(whole.rows, whole.gaussian_fourth, starts or _starts(whole.rank), seed)
    return {"z_structure": _structure(whole)} | _beside(whole, basis)


def share(left: float, explained: float) -> float:
    """left / (left + explained); 0 where nothing is explained."""
    return left / (left + explained) if left + explained > 0 else 0.0


def superposition(
    activations: Activations,
    *,
    rows: int | None = None,
    references: int | None = None,
    seed: int = 0,
    keep: Keep | None = None,
    progress: bool | None = None,
) -> Answer:
    """The test on `rows` rows of activations, as few of a document as can be: 20,000 by default, or 20 a dim."""
    most = rows or max(20_000, 20 * activations.n_dims)
    check_count("rows", most, at_least=2)
    x, told = independent_rows(activations, most, seed)
    return answer(superposition_test(x, references=references, seed=seed, keep=keep, progress=progress), told)


def answer(test: SuperpositionTest, told: Mapping[str, int]) -> Answer:
    """A test in words, with its picture; `told` are the counts of `independent_rows`."""
    from tegum import figures

    findings = [
        Finding("rows_tested", test.rows, words=_rows_in_words(told)),
        Finding("dims_that_vary", test.rank, words=f"of {test.n_dims}"),
    ]
    if not test.testable:
        need = f"at least {LEAST_ROWS} rows for each dim that varies, and {LEAST_DIMS} such dims, are needed"
        verdict = (
            "No row differs from another: there is nothing to test."
            if test.rank == 0
            else f"It can not be told from {test.rows:,} rows that vary in {test.rank:,} dims: {need}."
        )
        return Answer(QUESTION, verdict, tuple(findings), {"superposition": test.to_dataframe()}, (), _ASSUMED)
    least = 1 / (1 + len(test.elliptical))
    findings += [
        Finding("p_value", test.p_value, words=f"the larger of the two below; {least:.3g} is the least that as many draws can give"),
        Finding("p_elliptical", test.p_elliptical, words="a Gaussian of the same covariance, or any law that is one but for a row's scale"),
        Finding(
            "p_complete",
            test.p_complete,
            words="as many independent sparse features as dims, fitted to these rows"
            + ("" if test.found else ": not found, so none are drawn"),
        ),
        Finding(
            "share_left",
            test.share_left,
            words="the effect size: structure in interactions, which the best complete basis leaves, over that and what it explains; data drawn from "
            f"the fitted basis leave {_quantile(test.complete_share, 0.5):.2%}"
            if len(test.complete)
            else "not known: no basis is found",
        ),
        Finding(
            "basis_survives",
            test.survives,
            words=f"of what a basis explains of half of the rows, the share that it explains of the others; below {FOUND} none is found",
        ),
        Finding(
            "z_left",
            test.z_left,
            words=f"standard errors from none left; 95% of draws from the fitted basis are below {_quantile(test.complete, 0.95):.2g}"
            if len(test.complete)
            else "of a basis that is not found on other rows",
        ),
    ]
    lines = [
        {"law": law, "who": who} | {name: max(1.0, end) for name, end in (("value", value), ("low", low), ("high", high))}
        for law, drawn, own in (("elliptical law", test.elliptical, test.z_structure), ("complete basis", test.complete, test.z_left))
        if len(drawn)
        for who, value, low, high in (
            ("drawn from the law", *(_quantile(drawn, at) for at in (0.5, 0.025, 0.975))), ("these activations", own, own, own)
        )
    ]  # fmt: skip
    picture = figures.intervals(
        lines, "law", "value", "low", "high", "who", log_x=True, y_title=" ", x_title="what the law does not explain, in standard errors",
        caption=f"What {test.rows:,} activations have beyond either law, beside {len(test.elliptical)} data sets drawn from it (median and middle "
        "95%): all structure beside an elliptical law, interactions of three and four features beside a complete basis. Superposition has both. "
        "What is below 1 is drawn at 1.",
    )  # fmt: skip
    return Answer(QUESTION, _verdict(test), tuple(findings), {"superposition": test.to_dataframe()}, (picture,), _ASSUMED)


def _verdict(test: SuperpositionTest) -> str:
    these = f"these {test.rows:,} activations"
    least = 1 / (1 + len(test.elliptical))
    if least > LEVEL:
        return (
            f"Undecided: {len(test.elliptical)} data sets drawn from a law can not give a p value below {least:.2g}; from 19 on they can."
        )
    if test.p_elliptical > LEVEL:
        return (
            f"Directions of {these} can not be told from those of an elliptical law (p = {test.p_elliptical:.2g}): "
            "there is no sparse structure to be in superposition."
        )
    if not test.found:
        return (
            f"Undecided: {these} have structure that no elliptical law has, but are too few to find a complete basis in {test.rank} dims: of what "
            f"one explains of half of them, {test.survives:.1%} is there in the other half. More rows are needed."
        )
    if test.p_complete > LEVEL:
        return (
            f"A complete basis of {test.rank} sparse features accounts for {these} (p = {test.p_complete:.2g}): no sign of superposition."
        )
    found = f"no complete basis of {test.rank} independent features accounts for {these} (p = {test.p_value:.2g}); "
    found += f"the best leaves {test.share_left:.1%}"
    if test.share_left <= SMALL:
        return (
            f"Undecided: {found} of their structure, as little as noise, or features that depend on each other, can leave. In few dims, or with few "
            "features on, superposition leaves no more."
        )
    return f"Superposition: {found} of their structure. (Groups of features of one basis that come together would leave some too.)"


_ASSUMED = (
    "Rows are independent of each other. Rows of one document are not quite; as few as can be are taken.",
    (
        "Features of the complete basis are independent in value, but for one factor that all share: a scale of the row, a fixed number that is "
        "on. Groups of three and more features of one basis that come together count as structure that a basis leaves."
    ),
    (
        "Noise is small beside the smallest dim of the complete basis: noise whitened together with sparse features slants the basis, which is "
        "not a null here, but leaves little of the structure."
    ),
    (
        "One feature more than dims can pass for the common factor; features that are on so often that their fourth moment is near a Gaussian's, "
        "with no third, can not be seen."
    ),
)


def _structure(whole: Whitened) -> float:
    """Of directions, in standard errors."""
    third, fourth, third_error, fourth_error = totals(whole.rows)
    return max(third / third_error, fourth / fourth_error)


def _beside(whole: Whitened, basis: Float[Tensor, "rank rank"]) -> dict[str, float]:
    """What a basis explains, and what it leaves."""
    p = whole.rows @ basis.T
    third, fourth = (p**3).double().mean(0), (p**4).double().mean(0) - whole.gaussian_fourth
    found = interactions(p)
    return {
        "explained": float((THIRD * third.square() + FOURTH * fourth.square()).sum()),
        "left": THIRD * (found.third - found.common_third) + FOURTH * (found.fourth - found.common_fourth),
        "z_left": max(found.z_third, found.z_fourth),
    }


def _elliptical(_x: Tensor, whole: Whitened, _basis: object, places: range, seed: int) -> dict[str, list[float]]:
    """Directions of a Gaussian, which are those of every elliptical law."""
    found = []
    for place in places:
        drawn = whitened(torch.randn(whole.rows.shape, generator=_generator(seed, 2 * place)))
        found.append(_structure(drawn))
    return {"elliptical": found}


def _complete(
    x: Float[Tensor, "rows dims"], whole: Whitened, basis: Callable[[], Tensor], places: range, seed: int
) -> dict[str, list[float]]:
    """The values of each feature of the fitted basis in an order of their own: as sparse as they are, and independent."""
    codes = ((x.double() - whole.centre) @ whole.whiten.T).float() @ basis().T
    found: dict[str, list[float]] = {"complete": [], "complete_share": []}
    for place in places:
        order = torch.rand(codes.shape, generator=_generator(seed, 2 * place + 1)).argsort(0)
        again = whitened(codes.gather(0, order))
        left, _, right = torch.linalg.svd(again.whiten.T.float(), full_matrices=False)  # the features lie along the columns of whiten
        fitted, _ = complete_basis(again.rows, again.gaussian_fourth, 1, seed, begin=(left @ right)[: again.rank])
        told = _beside(again, fitted)
        found["complete"].append(told["z_left"])
        found["complete_share"].append(share(told["left"], told["explained"]))
    return found


def _starts(rank: int) -> int:
    return 1 if rank > _MANY else max(2, min(8, 256 // max(1, rank)))


def _generator(seed: int, place: int) -> torch.Generator:
    return torch.Generator().manual_seed((seed * 1_000_003 + place) % 2**63)


def _p(observed: float, drawn: Float[Tensor, " draws"]) -> float:
    return (1 + int((drawn >= observed).sum())) / (1 + len(drawn))


def _quantile(drawn: Float[Tensor, " draws"], share: float) -> float:
    return float(drawn.quantile(share)) if len(drawn) else math.nan


def _rows_in_words(told: Mapping[str, int]) -> str:
    of = f"of {told['documents']:,} documents; " if told.get("documents") else ""
    return f"{of}{told['alike']:,} of {told['looked_at']:,} looked at were the same as another and left out" if told else ""
