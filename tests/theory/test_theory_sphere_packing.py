"""Two energies of unit directions: against the general one-active loss, sums by hand, quadrature and published values."""

import math

import pytest
import torch
from scipy.integrate import quad

from tegum.geometry.catalogue import vertices
from tegum.theory import (
    THOMSON_ENERGY,
    THOMSON_SHAPE,
    coulomb_energy,
    interference_loss,
    one_active_loss,
    polygon,
    ring_energy,
    ring_harmonic,
)


def directions(n, dims, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(n, dims, dtype=torch.float64, generator=generator), dim=-1)


@pytest.mark.parametrize(("n", "dims"), [(2, 2), (7, 2), (9, 3), (12, 5)])
def test_interference_is_the_one_active_loss_of_unit_directions_without_bias(n, dims):
    U = directions(n, dims)
    terms = one_active_loss(U)
    assert float(interference_loss(U)) == pytest.approx(float(terms.total), rel=1e-12)
    assert float(terms.benefit.abs().max()) < 1e-14  # a feature alone is answered exactly


def test_both_work_on_tables_side_by_side():
    tables = torch.stack([directions(6, 3, seed) for seed in range(4)])
    for energy in (interference_loss, coulomb_energy):
        assert energy(tables).tolist() == pytest.approx([float(energy(U)) for U in tables], rel=1e-14)


def test_coulomb_energy_is_the_sum_over_pairs():
    U = directions(5, 3)
    by_hand = sum(1 / math.dist(U[i].tolist(), U[j].tolist()) for i in range(5) for j in range(i))
    assert float(coulomb_energy(U)) == pytest.approx(by_hand, rel=1e-13)


def test_two_charges_in_one_place_have_infinite_energy_and_finite_interference():
    U = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    assert float(coulomb_energy(U)) == math.inf
    assert float(interference_loss(U)) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "name", ["digon", "triangle", "tetrahedron", "triangular bipyramid", "octahedron", "pentagonal bipyramid", "icosahedron"]
)
def test_named_shapes_have_the_published_energies(name):
    """The others of the table are fixed by no symmetry alone: the experiment finds them by descent."""
    n = next(n for n, shape in THOMSON_SHAPE.items() if shape == name)
    assert float(coulomb_energy(vertices(name))) == pytest.approx(THOMSON_ENERGY[n], abs=1e-9)


@pytest.mark.parametrize("n", [2, 3, 5, 12])
def test_the_energy_of_a_ring_is_that_of_its_polygon(n):
    assert ring_energy(n) == pytest.approx(float(coulomb_energy(polygon(n))), rel=1e-13)


@pytest.mark.parametrize("k", range(12))
def test_the_harmonics_of_interference_are_their_integrals(k):
    integral, error = quad(lambda t: math.cos(t) ** 2 * math.cos(k * t), -math.pi / 2, math.pi / 2)
    assert ring_harmonic(k) == pytest.approx(integral / math.pi, abs=error + 1e-14)


def test_the_fifth_harmonic_is_the_first_that_is_negative():
    assert [k for k in range(9) if ring_harmonic(k) < 0] == [5]


def test_interference_on_a_circle_is_the_sum_of_its_harmonics():
    U = directions(7, 2)
    angles = torch.atan2(U[:, 1], U[:, 0])
    k = torch.arange(1, 4000, dtype=torch.float64)
    waves = torch.polar(torch.ones(()).double(), k[:, None] * angles).sum(1).abs().square()
    summed = ring_harmonic(0) / 2 * 49 + float((torch.tensor([ring_harmonic(int(i)) for i in k]) * waves).sum()) - 7
    # what is left out: at most sum_{odd k >= 4001} 4 / (pi k^3) 49 = 1e-6
    assert summed / 3 == pytest.approx(float(interference_loss(U)), abs=1e-6)


def test_twice_as_many_directions_as_dims_need_not_interfere_and_one_more_must():
    for dims in (2, 3, 4):
        axes = torch.eye(dims, dtype=torch.float64)
        cross = torch.cat([axes, -axes])
        assert float(interference_loss(cross)) == 0
        tries = torch.stack([torch.cat([cross, directions(1, dims, seed)]) for seed in range(50)])
        assert float(interference_loss(tries).min()) > 0.1
