"""A12 and A13: events are dated where they are, chance is what other runs give, and every claim has a course of training that refutes it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tegum import parts
from tegum.experiments import Row, Rows
from tegum.experiments.toys import _events, learning_geometry
from tegum.experiments.toys._events import Meeting
from tegum.experiments.toys.learning_dynamics import Dated, LearningDynamics
from tegum.experiments.toys.learning_geometry import LearningGeometry, dates, holds, in_order, measures
from tegum.geometry import haar_rotation

TIMES, REACH = 401, 10


def rise(at, width=2.0):
    """From 0 to 1 about a moment."""
    return 1 / (1 + np.exp(-(np.arange(TIMES) - at) / width))


class TestEvents:
    def test_a_rise_between_plateaus_is_a_jump_at_its_middle(self):
        levels = np.stack([0.2 + 0.3 * rise(150), 0.5 - 0.5 * rise(260)], 1)
        assert np.argwhere(_events.jumps(levels, REACH, 0.1)).tolist() == [[150, 0], [260, 1]]

    @pytest.mark.parametrize(
        "trace",
        [np.linspace(0, 1, TIMES), 0.5 + 0.09 * rise(200), rise(200, width=40), np.exp(-np.arange(TIMES) / 60), np.full(TIMES, 0.5)],
        ids=["a ramp", "too small", "too slow", "a decay", "nothing"],
    )
    def test_what_is_no_jump(self, trace):
        assert not _events.jumps(trace[:, None], REACH, 0.1).any()

    def test_a_faster_fall_is_a_drop_at_its_middle_whatever_the_scale(self):
        noise = 1e-4 * np.random.default_rng(0).normal(size=TIMES)
        loss = np.exp(-np.arange(TIMES) / 300 - 0.2 * rise(200) + noise)[:, None]
        (found,) = np.flatnonzero(_events.drops(loss, REACH))
        assert abs(found - 200) <= 2
        assert np.array_equal(_events.drops(loss, REACH), _events.drops(17 * loss, REACH))

    def test_noise_alone_has_few_drops(self):
        noise = 1e-3 * np.random.default_rng(0).normal(size=(TIMES, 200))
        found = _events.drops(np.exp(-np.arange(TIMES) / 200)[:, None] * np.exp(noise), REACH)
        # 341 moments of which 21 at most share a peak: beyond 3 standard deviations (1 in 740) lie fewer than half of a moment a run
        assert found.sum() / 200 < 0.5

    def test_events_within_reach_of_each_other_are_one_at_their_mean_by_size(self):
        events, sizes = np.zeros((100, 2), dtype=bool), np.ones((100, 2))
        events[[20, 26, 60], [0, 1, 0]] = True
        sizes[26, 1] = 2
        assert _events.merged(events, sizes, REACH) == [24, 60]
        assert _events.merged(np.zeros((100, 2), dtype=bool), sizes, REACH) == []

    def test_ranges_over_windows_are_those_of_a_plain_loop(self):
        trace = np.random.default_rng(0).normal(size=(60, 2))
        for first, last in ((-30, -10), (10, 30)):
            spread = _events._spread(trace, first, last)
            for t in range(60):
                inside = t + first >= 0 and t + last < 60
                assert np.array_equal(spread[t], np.ptp(trace[t + first : t + last + 1], axis=0) if inside else [np.inf, np.inf])

    def test_chance_is_the_mean_over_the_other_runs(self):
        meeting = Meeting(np.array([[3.0, 0, 0], [1, 1, 2], [0, 0, 0]]), np.array([3.0, 2, 1]))
        assert meeting.share == pytest.approx(4 / 6)
        assert meeting.by_chance.tolist() == [0, 1.5, 0]
        assert meeting.excess(99, 0)[0] == pytest.approx((3 - 0.5) / 6)
        assert meeting.factor(99, 0)[0] == pytest.approx(4 / 1.5)

    def test_the_p_value_of_events_that_mean_nothing_is_rarely_small(self):
        """Denser early in all runs, as jumps and drops are, and else independent."""
        draw, small, trials = np.random.default_rng(0), 0, 400
        for trial in range(trials):
            events, falls = (draw.exponential(60, size=(10, 3)).astype(int).clip(max=TIMES - 1) for _ in range(2))
            close = np.array([_events.near(f.tolist(), TIMES, REACH) for f in falls])
            found = np.array([close[:, e].sum(1) for e in events], dtype=float)
            small += Meeting(found, np.full(10, 3.0)).p_value(99, trial) <= 0.05
        assert small / trials <= 0.05 + 3 * (0.05 * 0.95 / trials) ** 0.5  # one seed in 740 would be above

    def test_an_interval_over_runs_has_the_width_of_the_delta_method(self):
        own = np.random.default_rng(0).normal(2, 1, size=50)
        estimate, (low, high) = Meeting(np.diag(own), np.ones(50)).mean(4000, 0)
        assert estimate == pytest.approx(own.mean())
        # a percentile of 4,000 draws has a standard error of 4% of the half width
        assert (high - low) / 2 == pytest.approx(1.96 * own.std() / 50**0.5, rel=0.15)

    def test_without_events_nothing_is_decided(self):
        meeting = Meeting(np.zeros((3, 3)), np.zeros(3))
        assert np.isnan([meeting.share, meeting.p_value(9, 0), *meeting.excess(9, 0)[1], meeting.factor(9, 0)[0]]).all()


RUNS = 16


def dynamics(jump_at, drop_at, end=0.5, early=None):
    """The claims on runs in which D_i of one feature jumps at moments `jump_at` and the loss drops at `drop_at`, both (runs, events)."""
    draw = np.random.default_rng(0)
    levels = np.zeros((TIMES, RUNS, 4))
    levels[:, :, :2] = end
    for run, moments in enumerate(jump_at):
        for feature, moment in enumerate(moments, 1):
            levels[:, run, feature] = end - 0.3 + 0.3 * rise(moment)
    fall = 0.2 * sum(np.stack([rise(moments[k]) for moments in drop_at], 1) for k in range(len(drop_at[0])))
    loss = np.exp(-np.arange(TIMES)[:, None] / 1000 - fall + 1e-4 * draw.normal(size=(TIMES, RUNS)))
    norms = np.ones((TIMES, RUNS, 4)) * np.array([1, 1, 0.01, 0.01])
    norms[:, :, 1 : 1 + len(jump_at[0])] = 1
    row = Row(steps=np.arange(TIMES) * 10, loss=loss.astype(np.float32), levels=levels.astype(np.float16), norms=norms.astype(np.float16))
    params = LearningDynamics.Params(seeds=RUNS, steps=4000, n_features=4)
    return LearningDynamics(), Rows(params, [row.of(LearningDynamics().cells(params)[0])])


def verdicts(experiment, rows):
    return [claim.verdict for claim in experiment.claims(rows)]


AT = np.random.default_rng(1).integers(60, 350, size=(RUNS, 1))
HALVES = np.where(np.arange(RUNS)[:, None] < RUNS // 2, 100, 250)


class TestLearningDynamics:
    def test_a_loss_that_drops_at_every_jump_makes_every_claim_hold(self):
        assert verdicts(*dynamics(AT, AT)) == ["holds"] * 5

    def test_a_loss_that_drops_when_others_jump_refutes_every_claim_of_their_meeting(self):
        assert verdicts(*dynamics(HALVES, HALVES[::-1])) == ["refuted"] * 4 + ["holds"]

    def test_drops_that_come_at_any_time_do_not_hold(self):
        others = np.random.default_rng(2).integers(60, 350, size=(RUNS, 1))
        assert "holds" not in verdicts(*dynamics(AT, others))[:3]

    def test_pentagons_are_no_pairs(self):
        assert verdicts(*dynamics(AT, AT, end=0.4)) == ["holds"] * 4 + ["refuted"]

    def test_events_of_the_first_tenth_do_not_count(self):
        experiment, rows = dynamics(np.full((RUNS, 1), 25), np.full((RUNS, 1), 25))
        found = Dated(rows[0], REACH)
        assert found.jumps == found.drops == [[]] * RUNS
        assert verdicts(experiment, rows)[:4] == ["undecided"] * 4
        assert len(list(experiment.figures(rows))) == 2

    def test_the_run_that_is_shown_is_the_one_with_the_most_jumps(self):
        jump_at = np.full((RUNS, 2), 150)
        jump_at[5] = [150, 250]
        assert Dated(dynamics(jump_at, jump_at)[1][0], REACH).most_jumps() == 5

    def test_the_loss_falls_fastest_where_it_drops(self):
        found = Dated(dynamics(HALVES, HALVES)[1][0], REACH)
        own = [found.fall_at(lag, own=True, times=99, seed=0)[0] for lag in (-25, 0, 25)]
        others = [found.fall_at(lag, own=False, times=99, seed=0)[0] for lag in (-25, 0, 25)]
        assert own[1] > 10 * max(own[0], own[2])
        assert own[1] > 1.5 * others[1]  # of the 15 other runs 7 drop there too

    def test_more_moments_than_steps_are_refused(self):
        with pytest.raises(ValueError, match="400 moments of 300 steps"):
            LearningDynamics.Params(steps=300)


AXES = np.eye(3)
LINE = np.ones(3) / 3**0.5
TURN = {
    angle: np.cos(angle) * np.eye(3) + np.sin(angle) * np.cross(np.eye(3), LINE) + (1 - np.cos(angle)) * np.outer(LINE, LINE)
    for angle in (np.pi, np.pi / 3)
}
OCTAHEDRON = np.concatenate([AXES, -AXES])
PRISM = np.concatenate([AXES, -AXES @ TURN[np.pi]])  # the second triangle straight below the first
COLLAPSED = np.concatenate([np.tile(LINE, (3, 1)), np.tile(-LINE, (3, 1))]) + 0.01 * OCTAHEDRON
TOGETHER = np.concatenate([AXES, AXES @ TURN[np.pi / 3]])  # two triangles on one side
PAIRS = np.concatenate([np.array([[1, 0, 0.2], [0.95, 0.3, 0], [0, 0, 1.0]])] * 2) * np.array([1, 1, 1, -1, -1, -1])[:, None]


class TestStages:
    @pytest.mark.parametrize(
        ("W", "met"),
        [
            (OCTAHEDRON, [True, True, True]),
            (PRISM, [True, True, False]),
            (COLLAPSED, [True, False, False]),
            (TOGETHER, [False, True, False]),
            (PAIRS, [True, False, False]),
            (OCTAHEDRON[[0, 3, 1, 4, 2, 5]], [False, False, False]),
        ],
        ids=["octahedron", "prism", "collapsed", "together", "pairs", "pairs of a set"],
    )
    @given(seed=st.integers(0, 10**6), scale=st.floats(0.6, 3))
    def test_each_shape_meets_its_criteria_however_it_is_turned(self, W, met, seed, scale):
        turn = haar_rotation(3, seed).double().numpy()
        order = np.random.default_rng(seed)
        within = np.concatenate([order.permutation(3), 3 + order.permutation(3)])
        swap = np.roll(within, 3 * int(order.integers(2)))
        assert holds(scale * W[swap] @ turn).tolist() == met

    def test_the_measures_of_the_octahedron_are_those_of_geometry(self):
        side, range_, worst, rest = measures(OCTAHEDRON)
        assert (float(side), float(range_), float(worst), float(rest)) == pytest.approx((1 / 3**0.5, 0, -1, 0), abs=1e-12)

    def test_a_feature_that_is_not_there_makes_no_antiprism(self):
        W = OCTAHEDRON.copy()
        W[2] *= 0.1
        assert holds(W).tolist() == [True, True, False]

    def test_random_directions_meet_few_criteria(self):
        W = np.random.default_rng(0).normal(size=(2000, 6, 3))
        assert (holds(W).mean(0) < [0.1, 0.1, 0.001]).all()

    def test_a_stage_is_dated_where_it_comes_to_stay(self):
        course = np.stack([PRISM, COLLAPSED, PRISM, PRISM, OCTAHEDRON])[:, None]
        steps = np.array([0, 1, 10, 100, 1000])
        assert dates(steps, course).tolist() == [[0, 10, 1000]]
        assert dates(steps, course[:-1]).tolist() == [[0, 10, -1]]

    @pytest.mark.parametrize(
        ("dated", "ordered"),
        [([1, 2, 3], True), ([0, 2, 3], False), ([1, 1, 3], False), ([2, 1, 3], False), ([1, 2, -1], False), ([-1] * 3, False)],
    )
    def test_stages_are_in_order_when_each_is_dated_after_the_one_before(self, dated, ordered):
        assert bool(in_order(np.array(dated))) is ordered


STEPS = np.concatenate([[0], np.unique(np.geomspace(1, 10_000, 200).round().astype(int))])
TIME = np.log(np.maximum(STEPS, 0.5))[:, None]
START = OCTAHEDRON[[0, 3, 1, 4, 2, 5]]  # opposite features are of one set


def geometry(shapes, at, falls_at, *, optimum_W=OCTAHEDRON, ends=1.01):
    """The claims on runs whose directions are `shapes`, the k-th from step `at[run][k]` on, and whose loss falls at `falls_at[run]`."""
    runs = len(at)
    W = np.empty((len(STEPS), runs, 6, 3))
    for run, moments in enumerate(at):
        for shape, moment in zip(shapes, [0, *moments], strict=True):
            W[moment <= STEPS, run] = shape
    falls = np.log(np.array(falls_at))
    loss = np.exp(-sum(1 / (1 + np.exp(-20 * (TIME - falls[:, k]))) for k in range(falls.shape[1])) - 1e-3 * TIME)
    row = Row(steps=STEPS, loss=loss, W=W, ends=np.full(runs, ends), optimum=1.0, optimum_W=optimum_W)
    params = LearningGeometry.Params(seeds=runs, starts=1)
    return LearningGeometry(), Rows(params, [row.of(LearningGeometry().cells(params)[0])])


DATES = [[20, 300, 2000] if run % 2 else [60, 800, 6000] for run in range(12)]
ORDER = (START, COLLAPSED, PRISM, OCTAHEDRON)


class TestLearningGeometry:
    def test_the_course_of_the_paper_makes_every_claim_hold(self):
        assert verdicts(*geometry(ORDER, DATES, DATES)) == ["holds"] * 7

    def test_prisms_at_the_end_are_no_antiprisms(self):
        found = verdicts(*geometry(ORDER[:3], [moments[:2] for moments in DATES], DATES, optimum_W=PRISM))
        assert found == ["refuted", "refuted", "holds", "holds", "undecided", "holds"]  # and none ends there whose order could be asked

    @pytest.mark.parametrize(
        "shapes", [(START, TOGETHER, PRISM, OCTAHEDRON), (START, START, PRISM, OCTAHEDRON), (COLLAPSED, COLLAPSED, PRISM, OCTAHEDRON)]
    )
    def test_triangles_before_the_split_or_with_it_or_a_split_from_the_start_are_not_the_order(self, shapes):
        assert verdicts(*geometry(shapes, DATES, DATES))[2] == "refuted"

    @pytest.mark.parametrize("stage", [0, 1, 2])
    def test_a_loss_that_falls_when_other_runs_reach_a_stage_does_not_show_it(self, stage):
        falls = np.array(DATES)
        falls[:, stage] = np.roll(falls[:, stage], 1)
        found = verdicts(*geometry(ORDER, DATES, falls))[3:6]
        assert found == ["refuted" if k == stage else "holds" for k in range(3)]

    @pytest.mark.parametrize("ends", [0.99, 1.03])
    def test_a_run_below_the_least_loss_and_runs_far_above_it_are_refuted(self, ends):
        assert verdicts(*geometry(ORDER, DATES, DATES, ends=ends)) == ["holds"] * 6 + ["refuted"]

    def test_what_the_loss_shows_of_the_turn_is_on_record_as_it_was_found(self):
        experiment, rows = geometry(ORDER, DATES, DATES)
        presets = experiment.presets
        for params, known in ((presets["quick"], "undecided"), (presets["paper"], "refuted"), (rows.params, "refuted")):
            on_record = [claim.on_record for claim in experiment.claims(Rows(params, rows)) if "stage" in claim.statement]
            assert on_record == ["holds", "holds", known]

    def test_runs_that_lack_a_feature_are_told(self):
        dead = OCTAHEDRON * np.array([0.1, 1, 1, 1, 1, 1])[:, None]
        experiment, rows = geometry((*ORDER[:3], dead), DATES, DATES)
        assert any("of the 12 others 12 lack a feature" in claim.reason for claim in experiment.claims(rows))

    def test_the_run_that_is_shown_passes_the_stages_in_order(self):
        dated = np.array([[1, 2, -1], [1, 2, 50], [0, 2, 9], [1, 2, 40], [1, 2, 60]])
        assert learning_geometry.shown(dated) == 1
        assert learning_geometry.shown(dated[:1]) == 0

    def test_seen_along_the_line_between_the_sets_an_octahedron_is_a_hexagon(self):
        along, aside = learning_geometry._views(OCTAHEDRON[None])[:, 0]
        angles = np.sort(np.degrees(np.arctan2(along[:, 1], along[:, 0])))
        np.testing.assert_allclose(np.diff(angles), 60, atol=1e-6)
        assert along[0].tolist() == pytest.approx([(2 / 3) ** 0.5, 0])
        assert aside[:, 1].tolist() == pytest.approx([1 / 3**0.5] * 3 + [-1 / 3**0.5] * 3)

    def test_the_octahedron_is_a_minimum_of_the_exact_loss(self):
        from tegum import theory
        from tegum.features import Correlated

        features = Correlated(n_features=6, n_sets=2, density=0.05)
        found = theory.optimal_loss(features, 3, starts=0, initial=[learning_geometry._octahedron()])
        assert holds(found.W.numpy()).all()
        W = found.W + 0.02 * torch.randn(64, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        assert bool((theory.expected_loss(W, found.b.expand(64, 6), features) > found.loss).all())


TINY = {
    "learning_dynamics": {"steps": 100, "moments": 80, "samples": 64, "seeds": 3, "batch_size": 64},
    "learning_geometry": {"steps": 5, "moments": 10, "seeds": 3, "batch_size": 64, "starts": 0},
}


@pytest.mark.parametrize("name", TINY)
def test_an_untrained_run_has_claims_figures_and_light_rows(name):
    experiment = parts.find("experiments", name)()
    params = type(experiment.presets["quick"]).model_validate(experiment.presets["quick"].model_dump() | TINY[name])
    rows = Rows(params, [experiment.run(cell, params).of(cell) for cell in experiment.cells(params)])
    statements = [claim.statement for claim in experiment.claims(rows)]
    assert len(set(statements)) == len(statements) >= 5
    captions = [figure.layout.meta["caption"] for figure in experiment.figures(rows)]
    assert len(set(captions)) == len(captions) >= 2
    assert all(len(caption) > 60 for caption in captions)
