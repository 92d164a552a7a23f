"""Fields on the plane: circles of their radius about their centres, on maps whose first row is at the bottom."""

import numpy as np
import pytest

from tegum import figures

MAP = np.arange(12.0).reshape(3, 4)


def test_circles_lie_about_their_centres_and_are_apart():
    centres = np.array([[0.2, 0.3], [0.9, 0.1]])
    _, circles = figures.plane_fields(MAP, centres, 0.25).data
    x, y = np.asarray(circles.x, dtype=float).reshape(2, -1), np.asarray(circles.y, dtype=float).reshape(2, -1)
    assert np.isnan(x[:, -1]).all()
    distance = np.hypot(x[:, :-1] - centres[:, :1], y[:, :-1] - centres[:, 1:])
    np.testing.assert_allclose(distance, 0.25, atol=1e-6)  # float32


def test_a_map_is_drawn_from_the_bottom_by_the_midpoints_of_its_pixels():
    shown = figures.plane_fields(MAP).data[0]
    np.testing.assert_allclose(shown.x, [0.125, 0.375, 0.625, 0.875])
    np.testing.assert_allclose(shown.y, [1 / 6, 1 / 2, 5 / 6])
    np.testing.assert_allclose(shown.z, MAP)


def test_panels_are_square_and_share_a_scale_and_the_points():
    figure = figures.plane_fields([MAP, 2 * MAP], points=[[0.5, 0.5]], value_range=(0, 9))
    assert [axis.scaleanchor for axis in figure.select_yaxes()] == ["x", "x2"]
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 9)
    assert sum(trace.mode == "markers" for trace in figure.data if trace.type == "scatter") == 4  # a cross on a cross, twice


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: figures.plane_fields([MAP, MAP], np.zeros((1, 3, 2)), [0.1]), "2 maps need as many radii"),
        (lambda: figures.plane_fields(MAP, np.zeros((3, 3)), 0.1), "arrays of centres"),
        (lambda: figures.plane_fields(MAP, np.zeros((3, 2))), "given were 0 radii"),
        (lambda: figures.plane_fields(MAP, points=[0.1, 0.2]), r"points have shape \(2,\)"),
        (lambda: figures.plane_fields(MAP[0]), "maps has shape"),
    ],
)
def test_other_shapes_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
