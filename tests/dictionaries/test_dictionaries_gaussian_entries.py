"""Dense and gaussian dictionaries."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy import stats

from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian


def test_gaussian_entries_are_normal_with_variance_one_over_d():
    D = gaussian(n_features=500, n_dims=200, seed=4, dtype=torch.float64)
    assert stats.kstest(D.dense().flatten().numpy() * math.sqrt(200), "norm").pvalue > 1e-4


def test_a_direction_depends_on_its_seed_and_its_feature_alone():
    small, large = gaussian(10, 30, seed=1), gaussian(1000, 30, seed=1)
    assert small.dense().equal(large.dense()[:10])
    assert not gaussian(10, 30, seed=2).dense().equal(small.dense())


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros((0, 3)), np.array([[1.0, np.nan]])])
def test_what_is_no_table_of_directions_is_refused_with_its_shape(wrong):
    with pytest.raises(ValueError, match="direction"):
        Dense(wrong)


def test_complex_directions_are_refused():
    with pytest.raises(ValueError, match=r"directions are torch.complex64; they are real"):
        Dense(torch.ones(3, 2, dtype=torch.complex64))


@pytest.mark.parametrize(("dtype", "entry"), [(torch.float32, 1e25), (torch.float16, 300.0), (torch.float64, 1e155)], ids=str)
def test_directions_whose_squared_length_overflows_are_refused_by_the_first(dtype, entry):
    table = torch.ones(5, 3, dtype=dtype)
    table[2:4, 1] = entry
    with pytest.raises(ValueError, match=f"2 of 5 directions have squared lengths beyond {dtype}; the first is that of feature 2"):
        Dense(table)
    assert Dense(table.double() * 1e-5).dtype == torch.float64  # the same directions, nearer to length 1


def test_a_table_that_is_trained_is_a_dictionary_and_keeps_its_gradient():
    W = torch.nn.Parameter(torch.eye(3))
    assert Dense(W).dense() is W


def test_dense_keeps_its_dtype_and_takes_lists():
    assert Dense([[1.0, 0.0], [0.0, 1.0]]).dtype == torch.float32
    assert Dense(np.eye(2)).dtype == torch.float64


CALL = "D = tegum.dictionaries.gaussian(n_features=8, n_dims=4, seed=0); assert D.dense().shape == (8, 4)"


@pytest.mark.parametrize(
    "lines", [["import tegum.dictionaries.gaussian_entries", CALL], [CALL, "import tegum.dictionaries.gaussian_entries", CALL]]
)
def test_gaussian_is_a_function_whether_or_not_its_file_was_imported(lines):
    done = subprocess.run([sys.executable, "-c", "\n".join(["import tegum", *lines])], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
