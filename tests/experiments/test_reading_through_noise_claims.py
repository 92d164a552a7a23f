"""Reading through noise: counts as theory has them get every claim, other counts refute theirs; where leads are lost; and a small run."""

import numpy as np
import pytest
from scipy.special import ndtr

from tegum.experiments import Row, Rows
from tegum.experiments.codes import _noisy_readings as readings
from tegum.experiments.codes._noisy_rules import RULES, noise_borne
from tegum.experiments.codes.reading_through_noise import BEARING, ReadingThroughNoise

N, K, TRIALS = 512, 8, 2000
PARAMS = ReadingThroughNoise.Params(n_features=N, n_active=K, noise=(0.0, 0.05, 0.1, 0.15), dims_per_feature=(0.5, 4.0))
EXPERIMENT = ReadingThroughNoise()
NEEDS = {  # without noise, and by how much of that more at .1
    "threshold 1/2": (300, 0.5), "Bayes threshold": (200, 0.4), "top-k": (160, 0.3), "OMP": (60, 0.1), "subspace pursuit": (52, 0.1),
    "CoSaMP": (55, 0.1), "basis pursuit": (42, 0.6), "AMP": (42, 0.6), "lasso": (42, 0.6), "Bayes-AMP": (38, 0.1),
}  # fmt: skip
BEARS = {  # from few dims, and from many
    "threshold 1/2": (0.06, 0.15), "Bayes threshold": (0.1, 0.19), "top-k": (0.13, 0.21), "OMP": (0.19, 0.21), "lasso": (0.16, 0.19),
    "Bayes-AMP": (0.18, 0.195),
}  # fmt: skip
READS = {"basis pursuit": (0.5, 0.9, 0.8, 0.02, 0.4, 0.9, 1.0), "lasso": (0.5, 0.95, 1.0, 1.0, 1.0, 1.0, 1.0)}


def row_of(cell, other):
    """Of a world in which all claims hold; `other` maps "part|rule" to a factor on what is needed, borne or read."""
    factor = other.get(f"{cell.part}|{cell.rule}", other.get(f"{cell.part}|{cell.rule}|{getattr(cell, 'n_dims', 0)}", 1.0))
    if cell.part == "theory":  # the lasso is ahead of top-k up to .15
        noise, (least, more) = np.linspace(0.001, 0.22, 40), NEEDS[cell.rule]
        return Row(noise=noise, dims=least * np.exp((1.0 if more > 0.5 else 0.4) * (noise / 0.1) ** 2))
    if cell.part == "needs":
        least, more = NEEDS[cell.rule]
        law = least * (1 + more * (cell.noise_std / 0.1) ** 2)
        dims = np.round(factor * law * np.geomspace(0.6, 1.7, 9)).astype(int)
        right = np.round(TRIALS * ndtr(np.log(dims / (factor * law)) / 0.15)).astype(int)
        return Row(dims=dims, right=right, trials=np.full(9, TRIALS), law=law if RULES[cell.rule].law else np.nan)
    if cell.part == "bears":
        law = BEARS[cell.rule][cell.n_dims > N]
        noise = law * np.array(readings.AROUND)
        right = np.round(TRIALS * ndtr(np.log(factor * law / noise) / 0.1)).astype(int)
        return Row(noise=noise, right=right, trials=np.full(len(noise), TRIALS), law=law)
    dims = np.round(np.array(readings.FITTED) * PARAMS.fitted_features).astype(int)
    share = np.clip(factor * np.array(READS[cell.rule]), 0, 1)
    return Row(dims=dims, right=np.round(100 * share).astype(int), trials=np.full(len(dims), 100), course=dims * 1.0, law=share)


def verdicts(**other):
    rows = [row_of(cell, other).of(cell) for cell in EXPERIMENT.cells(PARAMS)]
    return {claim.statement: claim.verdict for claim in EXPERIMENT.claims(Rows(PARAMS, rows))}


def test_counts_as_theory_has_them_get_every_claim():
    found = verdicts()
    assert len(found) == 7 + 7 + 5 + 1 + 2 + 3 + 4
    assert set(found.values()) == {"holds"}


@pytest.mark.parametrize(
    ("other", "fragment"),
    [
        *(({f"needs|{name}": factor}, f"{name} needs the dims") for name, rule in RULES.items() if rule.law for factor in (0.75, 1.4)),
        *(({f"bears|{name}": factor}, f"{name} bears the noise") for name in BEARING if RULES[name].law for factor in (0.87, 1.15)),
        *(
            ({f"needs|{name}": factor}, f"through noise of up to 0.1 {name}")
            for name, r in RULES.items()
            if r.law
            for factor in (0.85, 1.2)
        ),
        ({"needs|Bayes-AMP": 0.3}, "nobody reads half of the codes from fewer dims"),
        ({"needs|OMP": 3.0}, "the lasso at its best penalty loses its lead over OMP"),
        ({"needs|OMP": 0.6}, "the lasso at its best penalty loses its lead over OMP"),
        ({"needs|subspace pursuit": 0.6}, "through noise of 0.1 and more"),
        ({"bears|lasso|256": 0.75}, "with few dims"),
        ({"bears|lasso|2048": 1.19}, "with many dims (2,048), top-k bears more noise than lasso"),
        ({"bears|Bayes-AMP": 1.18}, "with many dims (2,048), top-k bears more noise than Bayes-AMP"),
        ({"fits|basis pursuit": 0.3}, "from N/4 dims"),
        ({"fits|basis pursuit": 30.0}, "from N/2 dims it reads fewer"),
        ({"fits|basis pursuit": 0.3}, "from 7/8 N dims"),
        ({"fits|lasso": 0.3}, "from N/2 dims the lasso"),
    ],
)
def test_other_counts_refute_their_claim(other, fragment):
    (verdict,) = {verdict for statement, verdict in verdicts(**other).items() if statement.startswith(fragment)}
    assert verdict == "refuted"


def test_a_lead_is_lost_on_straight_lines_between_places():
    places, ahead, spread = np.array([0.0, 1.0, 2.0]), np.array([0.4, 0.1, -0.3]), np.array([0.1, 0.1, 0.1])
    middle, (early, late) = readings.crossing(places, ahead, spread)
    assert middle == pytest.approx(1.25)
    assert early == pytest.approx(1.0)
    assert late == pytest.approx(1.5)
    assert readings.crossing(places, -ahead, spread)[0] == 0.0  # it never was
    assert readings.crossing(places, ahead + 1, spread) == (np.inf, (np.inf, np.inf))
    assert readings.crossing(places, np.array([0.4, 0.1, -np.inf]), spread)[0] == pytest.approx(1.0)


def test_the_noise_that_is_borne_needs_the_dims_that_there_are():
    for name in ("threshold 1/2", "top-k", "lasso", "Bayes-AMP"):
        few, many, most = (noise_borne(name, N, K, d) for d in (400, 1600, np.inf))
        assert few < many < most
        assert RULES[name].dims(N, K, few) == pytest.approx(400, rel=1e-2)
        assert np.isinf(RULES[name].dims(N, K, most + 1e-4))
    assert np.isnan(noise_borne("threshold 1/2", N, K, 100))  # it needs more without any


def test_rules_are_asked_only_where_they_rise():
    """At .3 no number of dims is enough; without noise l1 is basis pursuit."""
    empty = readings.needs(next(c for c in EXPERIMENT.cells(PARAMS) if c.rule == "lasso" and c.noise_std == 0), N, K, 0, 32)
    assert not len(empty.dims)
    params = ReadingThroughNoise.Params(n_features=N, n_active=K, noise=(0.05, 0.3))
    for cell in EXPERIMENT.cells(params):
        if cell.part == "needs" and cell.noise_std == 0.3 and cell.rule in ("top-k", "OMP", "Bayes-AMP"):
            assert not len(EXPERIMENT.run(cell, params).dims)


def test_a_small_run_gives_claims_and_figures_that_say_how_they_were_made(monkeypatch):
    for name in ("AMP", "CoSaMP", "subspace pursuit"):
        monkeypatch.delitem(RULES, name)
    params = ReadingThroughNoise.Params(
        n_features=64,
        n_active=2,
        noise=(0.0, 0.1),
        budget=64,
        slow_budget=64,
        dims_per_feature=(1.0, 4.0),
        points=8,
        fitted_features=64,
        fitted_codes=4,
    )
    rows = Rows(params, [EXPERIMENT.run(cell, params).of(cell) for cell in EXPERIMENT.cells(params)])
    for row in rows.where(part="needs"):
        if len(row.dims):
            assert row.right[-1] / row.trials[-1] > row.right[0] / row.trials[0]
    captions = [figure.layout.meta["caption"] for figure in EXPERIMENT.figures(rows)]
    assert len(set(captions)) == len(captions) == 5
    assert all("2 of 64 features on" in caption for caption in captions[:4])
    assert len(list(EXPERIMENT.claims(rows))) >= 15


def test_more_active_features_than_half_are_refused_before_any_work():
    with pytest.raises(ValueError, match="n_active is 40, but at most half of the 64 features"):
        EXPERIMENT.cells(ReadingThroughNoise.Params(n_features=64, n_active=40))


@pytest.mark.parametrize("noise", [(0.1,), (0.0, 0.05)])
def test_levels_of_noise_that_claims_lack_are_refused_before_any_work(noise):
    with pytest.raises(ValueError, match="claims compare two levels at least, one of them"):
        EXPERIMENT.cells(PARAMS.model_copy(update={"noise": noise}))
