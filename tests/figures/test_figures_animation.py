"""Animations carry what they say, frame by frame, and stay light; the course of training stands on one axis."""

import json

import numpy as np
import pytest

from tegum import figures

TIMES, FEATURES = 401, 20
DRAW = np.random.default_rng(0)
STEPS = np.arange(TIMES) * 10
LOG_STEPS = np.concatenate([[0], np.geomspace(100, 4000, TIMES - 1).astype(int)])
LOSS = np.geomspace(1, 1e-3, TIMES)
W = DRAW.normal(size=(2, TIMES, 6, 2)).cumsum(axis=1) / 20
X, Y = DRAW.uniform(size=(2, TIMES, FEATURES))
SETS = ["a", "b"] * 3


def directions(**changes):
    return figures.moving_directions(**{"W": W, "steps": STEPS, "loss": LOSS, "groups": SETS, "titles": ["one", "two"]} | changes)


def points(**changes):
    return figures.moving_points(**{"x": X, "y": Y, "steps": STEPS, "loss": LOSS} | changes)


@pytest.mark.parametrize("figure", [directions(), points(), directions(steps=LOG_STEPS, log_x=True)], ids=["directions", "points", "log"])
def test_four_hundred_moments_are_some_hundred_frames_of_a_hundred_kilobytes(figure):
    assert 50 <= len(figure.frames) <= 120
    assert len(figure.to_json()) < 200_000
    assert (figure.frames[0].name, figure.frames[-1].name) == ("0", "4000")
    numbers = [
        float(n)
        for frame in json.loads(figure.to_json())["frames"]
        for t in frame["data"][:-1]
        for n in (*t["x"], *t["y"])
        if n is not None
    ]
    assert all(round(number, 3) == number for number in numbers)


def test_a_frame_carries_the_directions_of_its_step_and_the_dot_on_the_loss():
    figure = directions()
    for frame in figure.frames:
        at = int(frame.name) // 10
        for trace, shown in zip(frame.traces[:-1], frame.data[:-1], strict=True):
            name, view = figure.data[trace].name, {"x": 0, "x2": 1}[figure.data[trace].xaxis]
            rows = [k for k, group in enumerate(SETS) if group == name]
            ends = np.stack([np.reshape(shown.x, (3, 3))[:, 1], np.reshape(shown.y, (3, 3))[:, 1]], -1).astype(float)
            np.testing.assert_allclose(ends, W[view, at, rows], atol=5.01e-4)  # rounded to a thousandth
        assert frame.data[-1].x == (at * 10,)
        np.testing.assert_allclose(frame.data[-1].y, LOSS[at], rtol=6e-4)  # four digits


def test_what_stands_still_is_in_no_frame_and_the_first_frame_is_what_is_shown_at_first():
    for figure in (directions(), points()):
        first = figure.frames[0]
        assert len(first.traces) < len(figure.data)
        assert all({"x", "y", "type"} >= set(shown.to_plotly_json()) for frame in figure.frames for shown in frame.data)
        for trace, shown in zip(first.traces, first.data, strict=True):
            assert (figure.data[trace].x, figure.data[trace].y) == (shown.x, shown.y)


@pytest.mark.parametrize("figure", [directions(), points()], ids=["directions", "points"])
def test_every_step_of_the_slider_goes_to_its_frame_and_there_are_no_others(figure):
    (slider,), (menu,) = figure.layout.sliders, figure.layout.updatemenus
    assert [step.args[0][0] for step in slider.steps] == [frame.name for frame in figure.frames]
    assert [button.label.split()[-1] for button in menu.buttons] == ["Play", "Pause"]


def test_frames_are_evenly_spaced_along_the_axis_of_steps():
    plain = np.diff([int(frame.name) for frame in directions().frames])
    assert plain.max() <= 4000 / 119 + 10
    later = np.diff(np.log10([int(frame.name) for frame in directions(steps=LOG_STEPS, log_x=True).frames][1:]))
    between = np.diff(np.log10(LOG_STEPS[1:])).max()
    assert later.max() <= np.log10(4000) / 119 + between  # a frame is the recorded moment next to its place


def test_the_axes_hold_all_that_moves():
    figure = points()
    (low, high), (left, right) = figure.layout.yaxis.range, figure.layout.xaxis.range
    assert low < Y.min() < Y.max() < high
    assert left < X.min() < X.max() < right
    figure = directions()
    assert figure.layout.xaxis.range[1] == -figure.layout.xaxis.range[0] > np.abs(W).max()
    assert np.log10([LOSS.min(), LOSS.max()]).tolist() == pytest.approx(np.add(figure.layout.yaxis3.range, (0.24, -0.24)), abs=1e-9)


def test_two_moments_are_two_frames():
    assert [frame.name for frame in points(x=X[:2], y=Y[:2], steps=STEPS[:2], loss=LOSS[:2]).frames] == ["0", "10"]


def test_a_course_marks_its_dates_through_both_panels_and_its_drops_on_the_loss():
    figure = figures.over_training(STEPS, LOSS, {"D": X}, dates=[100, 200], drops=[105], marks={"split": 50}, levels={"half": 0.5})
    upright = sorted((shape.x0, shape.yref) for shape in figure.layout.shapes if shape.x0 == shape.x1)
    assert upright == [(50, "y domain"), (50, "y2 domain"), (100, "y domain"), (100, "y2 domain"), (200, "y domain"), (200, "y2 domain")]
    assert [shape.yref for shape in figure.layout.shapes if shape.y0 == shape.y1 == 0.5] == ["y2"]
    (drop,) = (trace for trace in figure.data if trace.name == "loss drop")
    assert drop.y[0] == pytest.approx(np.interp(105, STEPS, LOSS))
    assert sum(trace.yaxis == "y2" for trace in figure.data) == FEATURES
    assert figure.layout.xaxis.matches == "x2"


def test_step_0_stands_at_1_on_a_log_axis():
    figure = figures.over_training(STEPS, LOSS, {"D": X[:, 0]}, log_x=True, marks={"late": 1000})
    assert min(figure.data[0].x) == 1
    assert figure.layout.xaxis2.range[0] == 0
    (name,) = (note for note in figure.layout.annotations if note.text == "late")
    assert name.x == pytest.approx(3)
    assert [frame.data[-1].x[0] for frame in directions(log_x=True).frames][:2] == [1, 10]
