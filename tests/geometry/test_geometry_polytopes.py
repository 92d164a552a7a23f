"""Polytopes: each is known by its name however it is turned, joined as brute force joins, and nothing else has a name."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tegum import geometry
from tegum.geometry import NO_POLYTOPE, POLYTOPES, feature_dimensionality, haar_rotation, interference, polytopes, vertices
from tegum.geometry.catalogue import _apart, _signatures, signature

DIMENSIONALITY = {
    "single feature": "1", "digon": "1/2", "triangle": "2/3", "tetrahedron": "3/4", "square": "1/2", "pentagon": "2/5", "5-cell": "4/5",
    "hexagon": "1/3", "octahedron": "1/2", "5-simplex": "5/6", "heptagon": "2/7", "octagon": "1/4", "cube": "3/8", "square antiprism": "3/8",
    "16-cell": "1/2", "icosahedron": "1/4", "Andrásfai 11": "4/11", "Andrásfai 14": "5/14", "Andrásfai 17": "6/17", "Andrásfai 20": "7/20",
    "Andrásfai 23": "8/23",
}  # fmt: skip
PRODUCTS = {
    "square": {"digon": 2}, "octahedron": {"digon": 3}, "16-cell": {"digon": 4}, "triangular bipyramid": {"triangle": 1, "digon": 1},
    "pentagonal bipyramid": {"pentagon": 1, "digon": 1},
}  # fmt: skip
RANK = {name: vertices(name).shape[1] for name in POLYTOPES}
names = st.sampled_from(POLYTOPES)
seeds = st.integers(0, 1000)


def seeded(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def turned(W, dims, seed):
    """`W` in `dims` dims, turned at random, its features in another order."""
    wide = torch.nn.functional.pad(W, (0, dims - W.shape[1])) @ haar_rotation(dims, seed)
    return wide[torch.randperm(len(W), generator=torch.Generator().manual_seed(seed))]


def by_members(found):
    return {part.members: part.name for part in found.parts}


@pytest.mark.parametrize(("name", "share"), DIMENSIONALITY.items())
def test_the_vertices_have_the_dimensionality_that_the_name_stands_for(name, share):
    D = feature_dimensionality(vertices(name))
    torch.testing.assert_close(D, torch.full_like(D, float(Fraction(share))), atol=1e-12, rtol=0)  # sums of a dozen float64 products


@pytest.mark.parametrize(("name", "sides"), [("triangular bipyramid", 3), ("pentagonal bipyramid", 5)])
def test_the_dimensionalities_of_a_bipyramid_are_those_of_its_factors(name, sides):
    D = feature_dimensionality(vertices(name))
    torch.testing.assert_close(D, torch.tensor([2 / sides] * sides + [0.5, 0.5], dtype=torch.float64), atol=1e-12, rtol=0)


def test_the_edges_of_the_solids_are_what_geometry_says():
    """Cosines of neighbours: -1/r in a simplex, cos 72 degrees in a pentagon, 1/3 in a cube, 1/sqrt 5 in an icosahedron."""
    for name, cosine in (("tetrahedron", -1 / 3), ("5-cell", -1 / 4), ("5-simplex", -1 / 5), ("pentagon", math.cos(math.radians(72)))):
        V = vertices(name)
        off = (V @ V.mT)[~torch.eye(len(V), dtype=torch.bool)]
        assert float((off - cosine).abs().min()) == pytest.approx(0, abs=1e-12)
        assert torch.allclose(V.norm(dim=1), torch.ones(len(V), dtype=torch.float64), atol=1e-12)
    for name, cosine, neighbours in (("cube", 1 / 3, 3), ("icosahedron", 1 / 5**0.5, 5), ("octahedron", 0, 4), ("16-cell", 0, 6)):
        V = vertices(name)
        assert ((V @ V.mT - cosine).abs() < 1e-9).sum(1).tolist() == [neighbours] * len(V)


@pytest.mark.parametrize(
    ("dims", "name"), [(1, "digon"), (2, "pentagon"), (3, "square antiprism"), *((r, f"Andrásfai {3 * r - 1}") for r in range(4, 9))]
)
def test_cosines_of_the_series_are_negative_along_an_andrasfai_graph(dims, name):
    """Vertex k of 3r - 1 is joined to k + 1, k + 4, k + 7, ... (Godsil & Royle 2001, 'Algebraic Graph Theory', sec. 6.9): r-regular, no triangle."""
    n = 3 * dims - 1
    edges = np.array([[(i - j) % n % 3 == 1 for j in range(n)] for i in range(n)])
    ring = vertices(name).numpy()
    following = [0]  # the order of the vertices round the ring: each after the one that it sees most of, and that is not yet there
    while len(following) < n:
        cosines = ring @ ring[following[-1]]
        cosines[following] = 1
        following.append(int(cosines.argmin()))
    gram = ring[following] @ ring[following].T
    np.testing.assert_array_equal(gram < -1e-9, edges)
    assert edges.sum(1).tolist() == [dims] * n
    assert np.trace(np.linalg.matrix_power(edges.astype(int), 3)) == 0


@given(name=names, seed=seeds, more=st.integers(0, 5))
def test_a_polytope_keeps_its_name_turned_reordered_and_in_more_dims(name, seed, more):
    V = vertices(name)
    (part,) = polytopes(turned(V, V.shape[1] + more, seed), threshold=0.0).parts
    assert (part.name, part.nearest, part.rank) == (name, name, RANK[name])
    assert part.distance < 1e-12  # differences of eigenvalues and cosines of size 1 to 4 in float64
    assert part.members == tuple(range(len(V)))


@given(name=names, seed=seeds, scale=st.floats(1e-3, 1e3))
def test_a_common_scale_changes_no_name_where_thresholds_go_with_it(name, seed, scale):
    W = turned(vertices(name), 8, seed) + 0.02 * seeded(len(vertices(name)), 8, seed=seed)
    plain, scaled = polytopes(W), polytopes(scale * W, threshold=0.05 * scale**2, norm=0.5 * scale)
    assert by_members(plain) == by_members(scaled)
    for one, other in zip(plain.parts, scaled.parts, strict=True):
        assert one.distance == pytest.approx(other.distance, abs=1e-9)
        torch.testing.assert_close(one.dimensionality, other.dimensionality, rtol=1e-9, atol=0)


@given(name=names, seed=seeds)
def test_lengths_do_not_change_the_name(name, seed):
    lengths = 0.7 + 0.6 * torch.rand(len(vertices(name)), 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    (part,) = polytopes(lengths * turned(vertices(name), 8, seed), threshold=0.0).parts
    assert part.name == name


@given(name=names, seed=seeds)
def test_a_polytope_with_noise_keeps_its_name(name, seed):
    """Noise of .04 / sqrt r in each of r dims moves a cosine by less than .04 sqrt 2 on average: well inside the tolerance of .1."""
    V = vertices(name)
    noise = 0.04 / V.shape[1] ** 0.5 * seeded(*V.shape, seed=seed)
    (part,) = polytopes(turned(V + noise, V.shape[1] + 2, seed), threshold=0.0).parts
    assert part.name == name


@given(name=names.filter(lambda name: name != "single feature"), seed=seeds, noise=st.floats(0, 1))
def test_the_distance_is_at_most_the_difference_of_cosines_to_any_copy(name, seed, noise):
    V = vertices(name)
    moved = torch.nn.functional.normalize(V + noise * seeded(*V.shape, seed=seed), dim=1)
    off = ~torch.eye(len(V), dtype=torch.bool)
    difference = (moved @ moved.mT - V @ V.mT)[off].square().mean().sqrt()
    (part,) = polytopes(turned(moved, V.shape[1], seed), threshold=0.0).parts
    assert part.distance <= float(difference) + 1e-12
    if part.nearest == name:
        assert (part.name == name) == (part.distance <= 0.1)


@pytest.mark.parametrize(("name", "factors"), PRODUCTS.items())
def test_a_product_falls_apart_into_its_factors(name, factors):
    assert polytopes(turned(vertices(name), 6, 3)).counts() == factors


@pytest.mark.parametrize("name", [name for name in POLYTOPES if name not in PRODUCTS and name != "5-simplex"])
def test_what_is_no_product_holds_together_at_the_default(name):
    assert polytopes(turned(vertices(name), 12, 3)).counts() == {name: 1}


def test_a_simplex_of_five_dims_needs_a_lower_threshold():
    assert polytopes(vertices("5-simplex")).counts() == {"single feature": 6}  # links of 1/25
    assert polytopes(vertices("5-simplex"), threshold=0.039).counts() == {"5-simplex": 1}


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_whose_factors_are_slanted_is_one_part_at_a_lower_threshold(name):
    """The axes lean towards each other by 6 degrees: cosines of .105, so links of .011."""
    axes = torch.eye(RANK[name], dtype=torch.float64)
    lean = torch.linalg.cholesky(axes + math.cos(math.radians(84)) * (1 - axes))
    found = polytopes(vertices(name) @ lean, threshold=0.01)
    assert found.counts() == {name: 1}
    assert 0.05 < found.parts[0].distance <= 0.1
    assert len(polytopes(vertices(name) @ lean).parts) == sum(PRODUCTS[name].values())


def test_a_whole_network_is_taken_apart():
    kinds = ["pentagon", "square antiprism", "digon", "triangle", "digon", "tetrahedron", "single feature"]
    whole = torch.block_diag(*map(vertices, kinds))
    found = polytopes(turned(torch.cat([whole, 0.01 * seeded(40, whole.shape[1])]), whole.shape[1], 1))
    assert found.counts() == {"digon": 2} | dict.fromkeys([*kinds[:2], "triangle", "tetrahedron", "single feature"], 1)
    assert found.shares()["pentagon"] == 5 / 25
    assert sum(found.shares().values()) == pytest.approx(1)
    for part in found.parts:
        assert part.rank == RANK[part.name]
        # 40 short features take .01^2 of each dim each: D is smaller by a factor of 1 - .004 or so, less than 1 - .02 in any of 12 dims
        torch.testing.assert_close(
            part.dimensionality, torch.full_like(part.dimensionality, part.rank / len(part.members)), rtol=0.02, atol=0
        )
    assert found.between < 0.05 <= found.within == pytest.approx(1 / 9)


def test_tight_frames_of_one_spectrum_are_told_apart():
    reversed_ = vertices("pentagon")
    reversed_[2] *= -1
    for one, other in ((reversed_, vertices("pentagon")), (vertices("cube"), vertices("square antiprism"))):
        torch.testing.assert_close(*(torch.linalg.eigvalsh(V @ V.mT) for V in (one, other)), atol=1e-12, rtol=0)
    (part,) = polytopes(reversed_).parts
    assert (part.name, part.rank) == (NO_POLYTOPE, 2)
    (part,) = polytopes(vertices("cube")).parts
    assert part.name == "cube"


def test_cosines_alone_would_not_do_either():
    """Three cosines of -1/2 among four directions, in a path and in a star: sorted they agree, the spectra do not."""
    path, star = torch.eye(4, dtype=torch.float64), torch.eye(4, dtype=torch.float64)
    for a, b in ((0, 1), (1, 2), (2, 3)):
        path[a, b] = path[b, a] = -0.5
    for b in (1, 2, 3):
        star[0, b] = star[b, 0] = -0.5
    one, other = (signature(torch.linalg.cholesky(gram)) for gram in (path, star))
    torch.testing.assert_close(one[1], other[1], atol=1e-12, rtol=0)
    assert float((one[0] - other[0]).abs().max()) > 0.05


def test_antiprisms_of_other_heights_keep_their_name_until_they_are_flat():
    for height, name in (
        (0.5604, "square antiprism"),
        (0.5111, "square antiprism"),
        (0.45, NO_POLYTOPE),
    ):  # Thomson's, of equal edges, flatter
        angle, side = math.pi / 4 * torch.arange(8), 1 - 2 * (torch.arange(8) % 2)
        radius = math.sqrt(1 - height**2)
        (part,) = polytopes(torch.stack([radius * angle.cos(), radius * angle.sin(), height * side], -1)).parts
        assert (part.name, part.nearest) == (name, "square antiprism")


@pytest.mark.parametrize(("n", "dims"), [(5, 2), (5, 3), (5, 4), (6, 3), (7, 2), (8, 3), (11, 4), (23, 8)])
def test_a_random_frame_is_none_of_these(n, dims):
    """Of 2,000 frames of each of the first six sizes, and 200 of the others, none came so near (other seeds); here are 60."""
    assert polytopes(torch.nn.functional.normalize(seeded(60, n, dims), dim=-1), threshold=0.0).counts() == {NO_POLYTOPE: 60}


def test_three_random_directions_are_seldom_a_triangle():
    """8 of 2,000 triples in a plane were (another seed); at 4 in 1,000, more than 6 of 300 come once in 4,000 seeds."""
    random = torch.nn.functional.normalize(seeded(300, 3, 2, seed=1), dim=-1)
    assert polytopes(random, threshold=0.0).counts().get("triangle", 0) <= 6


def test_polytopes_of_as_many_vertices_are_more_than_twice_the_tolerance_apart():
    """So a part is within it of one at most."""
    for n in {len(vertices(name)) for name in POLYTOPES}:
        known = list(_signatures(n).values())
        apart = [_apart(*a, *b) for i, a in enumerate(known) for b in known[:i]]
        assert min(apart, default=1) > 0.2


def brute_parts(W, threshold):
    """Grown from each feature by those that any member is linked to."""
    seen = interference(W)
    linked = (torch.maximum(seen, seen.mT) >= threshold).tolist()
    parts, free = [], set(range(len(W)))
    while free:
        part, fringe = set(), {min(free)}
        while fringe:
            part |= fringe
            fringe = {j for i in fringe for j in free - part if linked[i][j]}
        parts.append(tuple(sorted(part)))
        free -= part
    return parts


@given(n=st.integers(0, 12), m=st.integers(1, 6), seed=seeds, threshold=st.floats(0.001, 2))
def test_parts_are_those_of_brute_force_and_stay_until_the_threshold_meets_a_link(n, m, seed, threshold):
    W = seeded(n, m, seed=seed)
    found = polytopes(W, threshold, norm=0.0)
    assert [part.members for part in found.parts] == brute_parts(W, threshold)
    assert found.between < threshold <= found.within
    for same in (float(found.between) * (1 + 1e-9) + 1e-300, min(float(found.within) * (1 - 1e-9), 1e9)):
        assert brute_parts(W, same) == brute_parts(W, threshold)
    if found.within < math.inf:
        assert brute_parts(W, float(found.within) * (1 + 1e-9)) != brute_parts(W, threshold)
    if found.between > 0:
        assert brute_parts(W, float(found.between) * (1 - 1e-9)) != brute_parts(W, threshold)


def test_one_feature_that_sees_another_is_enough_to_join_them():
    W = torch.tensor([[1.0, 0.0], [0.2, 0.55]])  # the second sees .12 of the first, the first .04 of the second
    assert len(polytopes(W).parts) == 1
    assert len(polytopes(W, threshold=0.13).parts) == 2


def test_features_that_are_not_represented_are_in_no_part_but_take_their_share():
    W = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.4], [0.4, 0.0]])
    found = polytopes(W)
    assert by_members(found) == {(0, 1): "digon"}
    torch.testing.assert_close(found.parts[0].dimensionality, torch.full((2,), 1 / 2.16))
    assert polytopes(W, norm=0.3).parts[1].members == (2,)


def test_a_batch_finds_what_a_loop_does():
    W = seeded(2, 3, 7, 4)
    together = polytopes(W)
    one_by_one = [polytopes(table) for table in W.reshape(6, 7, 4)]
    assert [(p.instance, p.members, p.name, p.distance) for p in together.parts] == [
        (i, p.members, p.name, p.distance) for i, one in enumerate(one_by_one) for p in one.parts
    ]
    torch.testing.assert_close(together.between, torch.stack([one.between for one in one_by_one]).reshape(2, 3), rtol=0, atol=0)
    torch.testing.assert_close(together.within, torch.stack([one.within for one in one_by_one]).reshape(2, 3), rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(4, 3), (2, 0, 3), (0, 5, 3)])
def test_a_table_of_nothing_has_no_parts(shape):
    found = polytopes(torch.zeros(shape))
    assert (found.parts, found.counts(), found.shares()) == ((), {}, {})
    assert found.between.shape == shape[:-2]
    assert len(found.to_dataframe()) == 0
    assert "none" in repr(found)


def test_arrays_are_taken_and_dtype_is_kept():
    V = vertices("pentagon")
    assert polytopes(V.numpy()).counts() == polytopes(V.float()).counts() == polytopes(V.to(torch.bfloat16)).counts() == {"pentagon": 1}
    for dtype in (torch.float32, torch.float64):
        found = polytopes(V.to(dtype).requires_grad_())
        assert found.parts[0].dimensionality.dtype == found.between.dtype == dtype
        assert not found.parts[0].dimensionality.requires_grad


def test_the_result_tells_itself():
    whole = torch.block_diag(*map(vertices, ["pentagon", "digon", "digon"]))
    found = polytopes(torch.stack([whole, whole]))
    assert repr(found) == "Polytopes(digon: 4, pentagon: 2 in 2 tables)"
    frame = found.to_dataframe()
    assert frame["members"].tolist()[:3] == ["0 1 2 3 4", "5 6", "7 8"]
    np.testing.assert_allclose(frame["dimensionality"], [0.4, 0.5, 0.5] * 2, atol=1e-12)
    assert frame["instance"].tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("name", ["threshold", "norm", "tolerance"])
@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf])
def test_a_bound_that_is_no_number_from_0_is_refused(name, bad):
    with pytest.raises(ValueError, match=f"{name} is {bad}"):
        polytopes(torch.eye(3), **{name: bad})


def test_an_unknown_polytope_is_told_with_its_neighbour():
    with pytest.raises(ValueError, match="no polytope 'pentagram'; did you mean 'pentagon'"):
        geometry.vertices("pentagram")


def test_what_is_asked_for_is_a_copy():
    vertices("digon").zero_()
    assert float(vertices("digon").abs().sum()) == pytest.approx(2)
