"""Every figure keeps its contract, and the few that compute something compute it rightly."""

import json

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from tegum import figures
from tegum.store import Cell, Row, Rows

DRAW = np.random.default_rng(0)
W2, W3, W5 = (DRAW.normal(size=(3, 4, dims)) for dims in (2, 3, 5))
B, NORMS, SHARED, MAP = DRAW.normal(size=(3, 4)), DRAW.uniform(size=(3, 4)), DRAW.uniform(size=(3, 4)), DRAW.integers(0, 3, size=(4, 5))
X, Y, EDGES, COUNTS = np.geomspace(0.01, 1, 5), np.geomspace(0.1, 10, 4), np.linspace(-1, 1, 9), DRAW.integers(0, 50, 8)
LOSS = np.array([1.0, 0.5, 0.1])
TABLE = {"p": X, "loss": X**0.5, "lo": 0.9 * X**0.5, "hi": 1.1 * X**0.5, "kind": np.array(list("aabba"))}

# name -> how to draw it, given a conversion of arrays (to numpy or to torch)
DRAWN = {
    "gram": lambda to: figures.gram(to(W5), to(B), list("abc"), caption="how"),
    "gram of one": lambda to: figures.gram(to(W5[0]), caption="how"),
    "feature_bars": lambda to: figures.feature_bars(to(NORMS), to(SHARED), caption="how"),
    "directions_2d": lambda to: figures.directions_2d(to(W2), to(NORMS[0]), caption="how"),
    "directions_2d plain": lambda to: figures.directions_2d(to(W2[0]), caption="how"),
    "directions_3d": lambda to: figures.directions_3d(to(W3), to(NORMS), caption="how"),
    "phase_diagram": lambda to: figures.phase_diagram(to(MAP), to(MAP), to(X), to(Y), categories="abc", caption="how"),
    "phase_diagram of values": lambda to: figures.phase_diagram(to(MAP * 0.1), to(MAP * 0.2), to(X), to(Y), caption="how"),
    "histogram": lambda to: figures.histogram(to(EDGES), to(COUNTS), curves={"N": (to(X), to(X))}, marks={"bound": 0.1}, caption="how"),
    "lines": lambda to: figures.lines(
        {"p": to(X), "loss": to(X)}, "p", "loss", log_x=True, curves={"theory": (to(X), to(X))}, levels={"half": 0.5}, caption="how"
    ),
    "intervals": lambda to: figures.intervals({"n": list("abcde"), "e": to(X), "l": to(X), "h": to(X)}, "n", "e", "l", "h", caption="how"),
    "kinds_scatter": lambda to: figures.kinds_scatter(
        {"p": to(X), "d": to(X), "kind": list("abcab")}, "p", "d", "kind", "abc", levels={"half": 0.5, "near": 0.49}, caption="how"
    ),
    "kinds_shares": lambda to: figures.kinds_shares(
        {"p": to(X[[0, 0, 1]]), "kind": list("aba"), "s": to(np.array([0.3, 0.7, 1]))},
        "p",
        "kind",
        "s",
        "ab",
        totals=["7", "8"],
        caption="how",
    ),
    "part_portraits": lambda to: figures.part_portraits([[("a", to(W3[0])), ("b", to(W2[0]))], [("a", to(W5[0]))]], "ab", caption="how"),
    "moving_directions": lambda to: figures.moving_directions(to(W2), [0, 10, 20], to(LOSS), list("aabb"), log_x=True, caption="how"),
    "moving_points": lambda to: figures.moving_points(to(NORMS), to(SHARED), [0, 10, 20], to(LOSS), levels={"half": 0.5}, caption="how"),
    "over_training": lambda to: figures.over_training(
        [0, 10, 20], to(LOSS), {"D": to(SHARED), "b": to(B[:, 0])}, dates=[5], drops=[5], marks={"split": 7}, y_title="D", caption="how"
    ),
    "grouped_directions": lambda to: figures.grouped_directions(to(W2), list("aabb"), caption="how"),
    "plane_fields": lambda to: figures.plane_fields(to(W5[:2]), to(W2[:2]), [0.1, 0.2], to(SHARED[:, :2]), ["a", "b"], caption="how"),
    "plane_fields of one": lambda to: figures.plane_fields(to(SHARED), value_range=(0, 1), caption="how"),
    "law_map": lambda to: figures.law_map(
        {"l1": (to(X), to(X))},
        [{"decoder": "OMP", "k": 1, "d": 2.0, "low": 1.0, "high": 3.0}],
        marks={"k": 1.0},
        levels={"d": 2.0},
        caption="how",
    ),
    "recovery_maps": lambda to: figures.recovery_maps(
        {"panel": list("aabbb"), "n_active": to(X), "n_dims": to(X), "share": to(X)},
        {"panel": ["a"], **{name: [1.0] for name in ("n_active", "d50", "low_50", "high_50", "d99", "low_99", "high_99")}},
        {"panel": list("aabbb"), "name": list("xxyyy"), "n_active": to(X), "n_dims": to(X)},
        caption="how",
    ),
    "recovery_maps of points": lambda to: figures.recovery_maps(
        {"panel": list("abcde"), "n_active": to(X), "n_dims": to(X), "share": to(X)}, caption="how"
    ),
    "number_table": lambda to: figures.number_table({"n": list("aabbb"), "v": to(X)}, ["n", "v"], {"v": ".2f"}, caption="how"),
    "bars": lambda to: figures.bars({"n": list("abcde"), "v": to(X)}, "n", "v", log_x=True, caption="how"),
}


def test_every_public_figure_is_drawn_here():
    assert {name.split()[0] for name in DRAWN} == set(figures.__all__) - {"Figure"}


@pytest.mark.parametrize("to", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_has_its_caption_its_axis_titles_and_goes_through_json(name, to):
    figure = DRAWN[name](to)
    assert isinstance(figure, go.Figure)
    assert figure.layout.meta["caption"] == "how"
    saved = json.loads(figure.to_json())
    assert go.Figure(saved).layout.meta["caption"] == "how"
    if name == "directions_3d":
        assert all(scene.zaxis.title.text for scene in figure.select_scenes())
        return
    if name == "number_table":
        return
    if name == "part_portraits":  # parts side by side: no axis, so none that needs a title
        assert not any(axis.visible for axis in [*figure.select_xaxes(), *figure.select_yaxes()])
        return
    titled = {
        kind: [axis.title.text for axis in select() if axis.title.text]
        for kind, select in (("x", figure.select_xaxes), ("y", figure.select_yaxes))
    }
    assert titled["x"], "no x axis has a title"
    assert titled["y"], "no y axis has a title"


def test_gradients_and_bfloat16_are_no_hindrance():
    W = torch.randn(4, 2, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16).requires_grad_()
    assert figures.gram(W).data[0].z.shape == (4, 4)


def test_gram_shows_features_by_features_and_the_bias_at_its_row():
    figure = figures.gram(W5[0], B[0])
    shown, bias = figure.data
    np.testing.assert_allclose(shown.z, W5[0] @ W5[0].T, atol=1e-5)  # float32: 5 products of size one, 6e-8 each
    np.testing.assert_allclose(bias.z[:, 0], B[0], atol=1e-6)
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmid, figure.layout.coloraxis.cmax) == (-1, 0, 1)


def test_the_density_of_a_histogram_integrates_to_one_on_uneven_bins():
    edges = np.array([0.0, 1.0, 1.5, 4.0])
    density = figures.histogram(edges, [2, 5, 13]).data[0].y[:-1]
    assert np.sum(density * np.diff(edges)) == pytest.approx(1, abs=1e-12)


def test_cells_of_a_phase_diagram_meet_midway_on_the_log_axis():
    edges = figures.phase_diagram(MAP * 0.1, x=X, y=Y).data[0].x
    np.testing.assert_allclose(edges[1:-1], np.sqrt(X[1:] * X[:-1]), rtol=1e-12)
    assert len(edges) == len(X) + 1


def test_the_third_panel_marks_the_cells_that_differ():
    other = MAP.copy()
    other[1, 2] = (other[1, 2] + 1) % 3
    figure = figures.phase_diagram(MAP, other, X, Y, categories="abc")
    assert figure.data[2].z.sum() == 1
    assert figure.data[2].z[1, 2] == 1


def test_categories_may_be_given_as_words():
    words = np.array(list("abc"))[MAP]
    assert np.array_equal(figures.phase_diagram(words, x=X, y=Y, categories="abc").data[0].z, MAP)


def test_arrows_run_from_the_origin_to_each_direction():
    arrows = figures.directions_2d(W2[0]).data[1]
    np.testing.assert_allclose(np.reshape(arrows.x, (4, 3))[:, :2], np.stack([np.zeros(4), W2[0, :, 0]], 1), atol=1e-6)
    assert arrows.marker.angleref == "previous"


def test_panels_of_directions_have_equal_aspect():
    figure = figures.directions_2d(W2)
    assert [axis.scaleanchor for axis in figure.select_yaxes()] == ["x", "x2", "x3"]


def test_lines_are_sorted_and_told_apart_by_dash_of_marker_and_colour():
    figure = figures.lines({key: column[::-1] for key, column in TABLE.items()}, "p", "loss", "kind", error=("lo", "hi"))
    assert [trace.name for trace in figure.data] == ["kind a", "kind b"]
    assert all(np.all(np.diff(trace.x) > 0) for trace in figure.data)
    assert len({trace.marker.symbol for trace in figure.data}) == 2
    first = figure.data[0]
    np.testing.assert_allclose(first.y + first.error_y.array, 1.1 * first.y, rtol=1e-12)


def test_rows_of_a_store_are_a_table():
    rows = Rows(None, [Row(loss=p).of(Cell(p=p)) for p in (0.5, 0.1)])
    assert figures.lines(rows, "p", "loss").data[0].x.tolist() == [0.1, 0.5]


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: figures.gram(W5, B[:2]), r"b has shape \(2, 4\) but W has 3 instances of 4 features"),
        (lambda: figures.gram(W5[0, 0]), r"W has shape \(5,\); a figure needs 2 axes"),
        (lambda: figures.gram(W5, titles=["one"]), "1 titles were given for 3 panels"),
        (lambda: figures.feature_bars(NORMS, SHARED[:, :2]), r"superposition has \(3, 2\)"),
        (lambda: figures.directions_2d(W3), "W has 3 dims; this figure draws 2"),
        (lambda: figures.directions_2d(W2, np.ones(3)), r"colour has shape \(3,\)"),
        (lambda: figures.directions_3d(np.ones((9, 4, 3))), "9 instances"),
        (lambda: figures.phase_diagram(MAP, x=Y, y=X), r"a map has shape \(4, 5\) but y and x have 5 and 4"),
        (lambda: figures.phase_diagram(MAP, x=X, y=Y, categories="ab"), "there are 2 categories"),
        (lambda: figures.histogram(EDGES, COUNTS[:-1]), "7 counts but 9 edges"),
        (lambda: figures.kinds_scatter(TABLE, "p", "loss", "kind", "a"), "'b' is none of the kinds a"),
        (lambda: figures.kinds_shares(TABLE, "p", "kind", "loss", "b"), "'a' is none of the kinds b"),
        (lambda: figures.part_portraits([[("a", W3[0])]], "bc"), "'a' is none of the kinds b, c"),
        (lambda: figures.moving_directions(W3, [0, 1, 2], LOSS), r"W has shape \(3, 4, 3\); this figure needs \(times, features, 2\)"),
        (lambda: figures.moving_directions(W2, [0, 1], LOSS), r"steps has shape \(2,\) and loss \(3,\) but there are 3 moments"),
        (lambda: figures.moving_directions(W2, [0, 1, 2], LOSS, list("aab")), "3 groups were given for 4 features"),
        (lambda: figures.moving_points(NORMS, SHARED[:, :2], [0, 1, 2], LOSS), r"x has shape \(3, 4\) and y \(3, 2\)"),
        (lambda: figures.over_training([0, 1, 2], LOSS, {"D": SHARED[:2]}), "D has 2 moments but there are 3 steps"),
        (lambda: figures.grouped_directions(W3, list("aabb")), "W has 3 dims; this figure draws 2"),
        (lambda: figures.lines(TABLE, "p", "los"), "no column 'los'; it has p, loss, lo, hi, kind"),
    ],
)
def test_what_does_not_fit_is_said_with_the_sizes_seen(draw, words):
    with pytest.raises(ValueError, match=words):
        draw()


def test_nothing_hides_the_page_behind_it():
    template = figures.gram(W5).layout.template.layout
    assert template.paper_bgcolor == template.plot_bgcolor == "rgba(0,0,0,0)"


def test_a_table_leaves_blank_what_is_not_known_and_what_stands_above():
    drawn = figures.number_table({"n": ["a", "a", "b"], "v": [1.25, np.nan, np.inf]}, ["n", "v"], {"v": ".1f"}).data[0]
    assert [list(column) for column in drawn.cells.values] == [["a", "", "b"], ["1.2", "", "inf"]]
    with pytest.raises(ValueError, match="w"):
        figures.number_table({"n": ["a"]}, ["n", "w"])
