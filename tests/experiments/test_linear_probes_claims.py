"""Linear access: rows that obey the laws get every claim, rows that do not are refuted, and the search finds the fewest dims."""

import math
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tegum import theory
from tegum.experiments import Cell, Row, Rows
from tegum.experiments.codes import _probe_dims as measured
from tegum.experiments.codes.linear_probes_worst_case import LINEAR, LinearProbesWorstCase, power

EXPERIMENT = LinearProbesWorstCase()
PARAMS = LinearProbesWorstCase.Params(n_features=(256, 1024), n_active=(2, 3, 4, 6), over_dims=(1.0, 2.0), draws=2, more_draws=3)
SMALL = LinearProbesWorstCase.Params(
    n_features=(24, 32), n_active=(2, 3), some_active=2, eps=0.6, over_dims=(1.0, 1.5), draws=2, more_draws=2, codes=32, steps=24
)


def obeying(cell):
    """The row that the laws give, at four fifths of the union bound, above the best probes' law by less at more dims, and between the bounds."""
    n, k, eps = cell.n_features, cell.n_active, PARAMS.eps
    if cell.part == "frames":
        return Row(error=0.5, bound=0.5)
    if cell.part == "programs":
        return Row(above=0.004, below=1e-12, bounds=1e-12, gap=0.009)
    if cell.part == "errors":
        law = float(theory.best_probe_error(n, cell.n_dims, k))
        worst = {"itself": 1.0, "best": 1.2 * law, "made": 0.8 * law, "itself_typical": 0.9, "best_typical": law}
        return Row(
            least=np.full(2, 0.996 * law), most=np.full(2, 1.004 * law), **{name: np.full(2, value) for name, value in worst.items()}
        )
    if cell.kind == "l1":
        d = float(theory.lasso_dims(n, k, signed=True))
        return Row(dims=d, interval=np.array([0.97 * d, 1.03 * d]))
    best = float(theory.best_probe_dims(n, k, eps))
    d = {
        LINEAR[0]: 0.8 * 2 * (k / eps) * (k / eps - 0.5) * math.log(2 * math.e * n / k),
        LINEAR[1]: (1 + 0.3 / math.sqrt(k)) * best,
        LINEAR[2]: math.sqrt(best * float(theory.access_dims_bound(n, k, eps))),
    }[cell.kind]
    dims = np.round(d * np.array([0.98, 1.0, 1.02]))
    return Row(dims=dims, error=np.full(3, 0.49), gap=np.full(3, 0.009), witness=np.full(3, 1e-7))


@cache
def all_obeying():
    return [(cell, obeying(cell)) for cell in EXPERIMENT.cells(PARAMS)]


def claims(change=lambda cell, row: row):
    """The verdicts by what is claimed, on rows that obey but for `change`."""
    rows = [Row(**change(cell, dict(row))).of(cell) for cell, row in all_obeying()]
    return {claim.statement.split(" (")[0].split(":")[0]: claim.verdict for claim in EXPERIMENT.claims(Rows(PARAMS, rows))}


def test_rows_that_obey_get_every_claim():
    assert set(claims().values()) == {"holds"}


def scaled(part, kind=None, **factors):
    """Rows of a part, or of a kind, with columns multiplied."""

    def change(cell, row):
        if cell.part != part or (kind is not None and cell.kind != kind):
            return row
        return row | {name: value(cell, row[name]) if callable(value) else row[name] * value for name, value in factors.items()}

    return change


@pytest.mark.parametrize(
    ("change", "refuted"),
    [
        (scaled("dims", LINEAR[2], witness=1e4), {"the code that is to have the worst case has it when it is encoded and read"}),
        (scaled("dims", LINEAR[1], gap=2), {"the best probes' worst case is as near to what no probes are below as was asked for"}),
        (scaled("programs", above=5), {"splitting finds probes as good as linear programs do, within the gap that was asked for"}),
        (scaled("programs", below=1e9), {"no probe beats the linear programs, and no bound of splitting is above them"}),
        (scaled("programs", bounds=1e9), {"no probe beats the linear programs, and no bound of splitting is above them"}),
        (scaled("frames", error=1.001), {"equiangular tight frames read themselves as well as any directions and any probes could"}),
        (scaled("dims", LINEAR[2], dims=0.4), {"nothing reads in fewer dims than the rank bound allows"}),
        (scaled("dims", LINEAR[0], dims=2), {"directions read within eps from the union bound's dims on, if not before"}),
        (scaled("dims", LINEAR[0], dims=lambda cell, d: d * cell.n_active**-0.4), {"directions that read themselves need dims as the square of k"}),
        (scaled("dims", "l1", dims=lambda cell, d: d * cell.n_active**0.4), {"l1 needs dims as k to a power below 1, that of its law"}),
        (scaled("errors", least=1.1, most=1.1), {"the best probes of random directions are off by what their law says"}),
        (scaled("dims", LINEAR[2], dims=2.5), {"directions made for it need fewer dims than random ones with their best probes"}),
        (scaled("dims", LINEAR[1], dims=0.4), {"even the best probes' worst case needs more dims than top-k needs for half of the codes"}),
    ],
)  # fmt: skip
def test_rows_that_do_not_obey_are_refuted(change, refuted):
    found = {what for what, verdict in claims(change).items() if verdict != "holds"}
    assert refuted <= found
    assert len(found) <= 3  # of the others only those that speak of the same dims


@pytest.mark.parametrize(
    ("kind", "power", "refuted"),
    [
        (LINEAR[0], -1.2, "directions that read themselves cost a power of k more than l1"),
        (LINEAR[1], -1.2, "best probes cost a power of k more than l1"),
        (LINEAR[1], -1.2, "best probes need dims as a power of k between that of l1's law and that of their own"),
        (LINEAR[1], 0.4, "best probes need dims as a power of k between that of l1's law and that of their own"),
        (LINEAR[2], -1.5, "made directions cost a power of k more than l1"),
    ],
)
def test_other_powers_of_k_are_refuted(kind, power, refuted):
    assert claims(scaled("dims", kind, dims=lambda cell, d: d * cell.n_active**power))[refuted] == "refuted"


@pytest.mark.parametrize(("fewest", "guess"), [(1, 1), (1, 40), (37, 1), (37, 37), (37, 38), (37, 300), (900, 100)])
def test_the_search_finds_the_fewest_dims_to_a_64th(fewest, guess):
    def access(d: int) -> Any:
        return SimpleNamespace(error=0.4 if d >= fewest else 0.6, d=d)

    found: Any = measured.fewest(access, 0.5, guess)
    assert 0 <= found.d - fewest <= max(1, fewest // measured.FINE + 1) - (fewest < measured.FINE)


def test_the_power_is_that_of_the_means_with_the_error_of_their_spread():
    rng = np.random.default_rng(0)
    ks = np.array([2, 3, 4, 6])
    found = np.array([power(ks, [7 * k**1.7 * np.exp(rng.normal(0, 0.1, 5)) for k in ks]) for _ in range(400)])
    assert found[:, 0].mean() == pytest.approx(1.7, abs=5 * found[:, 0].std() / 20)
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.2)  # 400 runs tell a standard deviation to 3.5%


@pytest.fixture(scope="module")
def small():
    cells = [cell for cell in EXPERIMENT.cells(SMALL) if cell.part in ("dims", "errors") or (cell.n_features < 30 and cell.n_dims < 10)]
    return Rows(SMALL, [EXPERIMENT.run(cell, SMALL).of(cell) for cell in cells])


def test_a_small_run_gets_what_is_exact_and_stays_between_the_bounds(small):
    verdicts = {claim.statement: claim.verdict for claim in EXPERIMENT.claims(small)}
    exact = list(verdicts.items())[:7]
    assert [verdict for _, verdict in exact] == ["holds"] * 7


def test_a_cell_is_run_again_to_the_same_row():
    cell = Cell(part="dims", kind=LINEAR[1], n_features=24, n_active=2)
    assert dict(EXPERIMENT.run(cell, SMALL).of(cell))["dims"].tolist() == EXPERIMENT.run(cell, SMALL).dims.tolist()


def test_the_figures_are_drawn(small):
    assert len(list(EXPERIMENT.figures(small))) == 3


def test_more_features_on_than_there_are_is_refused():
    with pytest.raises(ValueError, match="40 features are to be on, but there are 32"):
        EXPERIMENT.cells(LinearProbesWorstCase.Params(n_features=(32, 64), n_active=(40,)))
