"""SparseCodes: what fits, what is picked, what is told; and the places of the counter that a sample may be drawn at."""

import inspect

import numpy as np
import pytest
import torch

from tegum.features import SparseCodes
from tegum.features.bernoulli import Bernoulli
from tegum.features.exactly_k import ExactlyK
from tegum.features.one_hot import OneHot

sample = inspect.unwrap(OneHot.sample)  # what users call: the tests' own checks of types would come before the door's


def unchecked(indices, values, n_features):
    codes = object.__new__(SparseCodes)
    codes.__dict__.update(indices=indices, values=values, n_features=n_features)
    inspect.unwrap(SparseCodes.__post_init__)(codes)
    return codes


DENSE = np.array([[0, 2.0, 0, 1.0], [0, 0, 0, 0], [3.0, 0, 0, 0]])


def test_codes_of_a_dense_array_give_it_back():
    z = SparseCodes.from_dense(DENSE)
    assert z.dense().numpy() == pytest.approx(DENSE)
    assert z.n_active.tolist() == [2, 0, 1]
    assert z.to_dataframe().to_numpy().tolist() == [[0, 1, 2.0], [0, 3, 1.0], [2, 0, 3.0]]
    assert "<table" in z._repr_html_()


def test_batches_of_several_widths_stand_one_after_the_other():
    parts = [SparseCodes.from_dense(DENSE[:1]), SparseCodes.from_dense(DENSE[1:2]), SparseCodes.from_dense(DENSE[2:])]
    assert SparseCodes.concatenate(parts).dense().numpy() == pytest.approx(DENSE)
    with pytest.raises(ValueError, match=r"the batches have \[3, 4\] features"):
        SparseCodes.concatenate([parts[0], SparseCodes.from_dense(np.ones((1, 3)))])


def test_one_sample_a_slice_and_a_mask_are_batches():
    z = SparseCodes.from_dense(DENSE)
    assert z[2].dense().tolist() == z[-1].dense().tolist() == [DENSE[2].tolist()]
    assert z[np.int64(0)].dense().tolist() == [DENSE[0].tolist()]
    assert z[1:].dense().tolist() == DENSE[1:].tolist()
    assert z[torch.tensor([True, False, True])].dense().tolist() == DENSE[[0, 2]].tolist()
    assert [one.n_active.item() for one in z] == [2, 0, 1]
    with pytest.raises(IndexError, match="no sample 3 in 3"):
        z[3]


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (np.array([True, False, True]), [0, 2]),
        ([True, False, True], [0, 2]),
        (np.array([2, 0, 2]), [2, 0, 2]),
        (np.array([2, 0, 1], dtype=np.uint8), [2, 0, 1]),
        (np.arange(3)[::-1], [2, 1, 0]),
        ([-1, 0], [2, 0]),
        ([], []),
        (np.zeros(3, bool), []),
        (torch.tensor(2), [2]),
        (torch.tensor(-1, dtype=torch.int32), [2]),
        (np.array(1), [1]),
    ],
    ids=repr,
)
def test_arrays_and_lists_pick_as_tensors_do(rows, wanted):
    z = SparseCodes.from_dense(DENSE)[rows]
    assert z.dense().tolist() == DENSE[wanted].tolist()


@pytest.mark.parametrize("rows", [np.array([0, 3]), [3], torch.tensor(3), np.array([0.0, 1.0]), np.array([True, False])], ids=repr)
def test_samples_that_are_not_there_are_refused(rows):
    with pytest.raises(IndexError):
        SparseCodes.from_dense(DENSE)[rows]


@pytest.mark.parametrize(("indices", "values"), [((2,), (2,)), ((1, 2), (1, 3))])
def test_indices_and_values_of_other_shapes_are_refused(indices, values):
    with pytest.raises(ValueError, match=r"both must be \(samples, k\)"):
        unchecked(torch.zeros(indices, dtype=torch.int64), torch.zeros(values), 4)


def test_a_dense_vector_is_refused_with_its_shape():
    with pytest.raises(ValueError, match=r"z has shape \(4,\)"):
        SparseCodes.from_dense(DENSE[0])


@pytest.mark.parametrize(
    "place",
    [{"seed": -1}, {"seed": 1.5}, {"seed": 2**63}, {"seed": True}, {"instance": 2**24}, {"instance": -1}, {"step": 2**32}, {"step": -1},
     {"first_sample": -64}],
)  # fmt: skip
def test_a_place_outside_the_counter_is_refused_by_name(place):
    with pytest.raises(ValueError, match=f"{next(iter(place))} is .* must be an integer from 0 to"):
        sample(OneHot(n_features=4), 10, **place)


def test_the_ends_of_the_counter_are_places():
    OneHot(n_features=4).sample(10, seed=2**63 - 1, instance=2**24 - 1, step=2**32 - 1)


def test_a_sample_is_right_up_to_the_most_features_and_refused_beyond():
    n, samples = 2**30, 6400
    z = Bernoulli(n_features=n, density=1 / n).sample(samples, seed=1)
    assert abs(z.n_active.double().mean() - 1) < 5 / samples**0.5  # Poisson(1): standard error 1/sqrt(samples)
    assert z.indices.max() < n
    with pytest.raises(ValueError, match=r"n_features is 1073741825; at most 2\^30"):
        OneHot(n_features=n + 1).sample(1)


@pytest.mark.parametrize(
    ("features", "bits"),
    [
        (OneHot(n_features=2**50), 50.0),
        (ExactlyK(n_features=2**40, n_active=2), 79.0 + np.log2(1 - 2.0**-40)),
        (ExactlyK(n_features=2**30, n_active=1), 30.0),
    ],
    ids=str,
)
def test_the_entropy_of_a_support_keeps_its_digits_at_any_size(features, bits):
    assert features.support_bits() == pytest.approx(bits, rel=4e-15)
