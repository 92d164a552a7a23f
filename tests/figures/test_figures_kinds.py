"""Kinds and portraits show what they are given: every kind at its place, shares in their order, and the links of a polytope."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tegum import figures
from tegum.geometry import vertices

things = st.lists(st.tuples(st.sampled_from([2.0, 3.0, 5.0]), st.floats(0, 1), st.sampled_from("abc")), min_size=1, max_size=200)


def scatter(found, **settings):
    x, y, kind = zip(*found, strict=True)
    return figures.kinds_scatter({"x": x, "y": y, "kind": kind}, "x", "y", "kind", "abc", **settings)


@settings(max_examples=15)
@given(found=things)
def test_every_thing_has_a_dot_of_its_kind_near_it_and_no_dot_is_for_nothing(found):
    figure = scatter(found)
    dots = {(x, y, trace.name) for trace in figure.data for x, y in zip(trace.customdata[:, 0], trace.y, strict=True)}
    for some, others in ((found, dots), (dots, found)):
        for x, y, kind in some:
            assert any((at, name) == (x, kind) and abs(y - near) <= 1 / 90 + 1e-9 for at, near, name in others)


@settings(max_examples=15)
@given(found=things)
def test_columns_do_not_meet_and_hold_nine_dots_or_little_more_a_row(found):
    figure = scatter(found)
    for trace in figure.data:
        # neighbours of 2, 3 and 5 are a factor of 1.5 apart; a row has 9 dots and one more for each kind but the first
        assert np.all(np.abs(np.log(np.asarray(trace.x) / trace.customdata[:, 0])) < np.log(1.5) / 2)


def test_a_row_is_as_wide_as_it_has_things():
    many, few = [(2.0, 0.505, "a")] * 900, [(2.0, 0.305, "a")] * 100
    (trace,) = scatter(many + few).data
    rows = {y: int((np.isclose(trace.y, y)).sum()) for y in (0.505, 0.305)}
    assert rows == {0.505: 9, 0.305: 1}
    assert {int(count) for count in trace.customdata[:, 1]} == {900, 100}


def test_thousands_of_features_stay_light():
    draw = np.random.default_rng(0)
    found = [
        (x, y, kind)
        for x in np.geomspace(1, 100, 16)
        for y, kind in zip(draw.uniform(size=4000), draw.choice(list("abc"), 4000), strict=True)
    ]
    assert len(scatter(found).to_json()) < 1_000_000


def test_names_of_near_levels_do_not_cover_each_other():
    figure = scatter([(2.0, 0.4, "a")], levels={"2/5": 0.4, "3/8": 0.375, "1/2": 0.5})
    at = {note.text: note.y for note in figure.layout.annotations}
    assert at["1/2"] == 0.5
    assert at["2/5"] == 0.4
    assert at["2/5"] - at["3/8"] >= 0.043  # 18 of some 412 px
    assert sorted(shape.y0 for shape in figure.layout.shapes) == [0.375, 0.4, 0.5]  # the lines stay where they are


def test_shares_stand_at_their_places_in_the_order_given():
    data = {"x": [2.5, 2.5, 10.0, 3.0], "kind": list("abab"), "share": [0.25, 0.75, 1.0, 0.5]}
    figure = figures.kinds_shares(data, "x", "kind", "share", "ba", totals=["one", "two", "three"])
    assert [trace.name for trace in figure.data] == ["b", "a"]
    assert {trace.name: list(zip(trace.x, trace.y, strict=True)) for trace in figure.data} == {
        "a": [(0, 0.25), (1, 1.0)],
        "b": [(0, 0.75), (2, 0.5)],
    }
    assert list(figure.layout.xaxis.ticktext) == ["2.5", "10", "3"]
    assert [note.text for note in figure.layout.annotations] == ["one", "two", "three"]


def test_a_kind_has_one_colour_in_all_three_and_the_other_is_grey():
    data = {"x": [2.0, 2.0], "y": [0.1, 0.2], "share": [0.5, 0.5], "kind": ["digon", "none"]}
    kinds = ["digon", "pentagon", "none"]
    several = [
        figures.kinds_scatter(data, "x", "y", "kind", kinds, other="none"),
        figures.kinds_shares(data, "x", "kind", "share", kinds, other="none"),
        figures.part_portraits([[("digon", vertices("digon")), ("none", vertices("cube"))]], kinds, other="none"),
    ]
    for name in ("digon", "none"):
        assert len({trace.marker.color for figure in several for trace in figure.data if trace.name == name}) == 1
    assert several[0].data[0].marker.color != several[0].data[1].marker.color


def drawn(*kinds):
    """(points, segments) of a portrait of these polytopes."""
    figure = figures.part_portraits([[(kind, vertices(kind)) for kind in kinds]], list(dict.fromkeys(kinds)))
    points = {trace.name: np.column_stack([trace.x, trace.y]) for trace in figure.data if trace.mode == "markers"}
    lines = [np.column_stack([trace.x, trace.y]) for trace in figure.data if trace.mode == "lines"]
    return points, [line[~np.isnan(line[:, 0])].reshape(-1, 2, 2) for line in lines]


@pytest.mark.parametrize(
    ("kind", "numbers"), [("digon", [0, 0, 1]), ("triangle", [0, 3, 0]), ("tetrahedron", [6, 0, 0]), ("pentagon", [5, 0, 5])]
)
def test_lines_join_what_sees_each_other_the_thicker_the_more(kind, numbers):
    """Squares of cosines: 1 in a digon, 1/4 in a triangle, 1/9 in a tetrahedron, .095 and .65 in a pentagon."""
    _, segments = drawn(kind)
    assert [len(lines) for lines in segments] == numbers


@pytest.mark.parametrize("kind", ["digon", "triangle", "pentagon"])
def test_a_flat_polytope_looks_like_itself(kind):
    V = vertices(kind)
    (points,) = drawn(kind)[0].values()
    lengths = np.linalg.norm(points[:, None] - points, axis=2)
    actual = np.linalg.norm((V[:, None] - V).numpy(), axis=2)
    np.testing.assert_allclose(lengths / lengths.max(), actual / actual.max(), atol=1e-12)


@settings(max_examples=15)
@given(kinds=st.lists(st.sampled_from(["digon", "pentagon", "square antiprism", "icosahedron", "single feature"]), min_size=1, max_size=40))
def test_parts_have_room_and_do_not_overlap(kinds):
    figure = figures.part_portraits([[(kind, vertices(kind)) for kind in kinds]], sorted(set(kinds)))
    room = [figure.layout.xaxis.range[1], figure.layout.yaxis.range[0]]
    boxes = []
    for trace in figure.data:
        if trace.mode == "markers":
            size = int(trace.customdata[0])
            points = np.column_stack([trace.x, trace.y]).reshape(-1, size, 2)
            boxes += [(part.min(0), part.max(0)) for part in points]
    for low, high in boxes:
        assert np.all(low >= 0)
        assert np.all(high <= room)
    for place, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:place]:
            assert np.any(low > other_high) or np.any(other_low > high)
