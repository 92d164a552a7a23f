"""Trains into a folder, slowly: to be killed."""

import sys
import time

import torch

import tegum
from tegum.learning import MatryoshkaSAE, TopKSAE, fit

SETTINGS = {"samples": 12_800, "batch_size": 64, "report_every": 5, "save_every": 0.0, "seed": 3}


def data():
    features = tegum.features.ExactlyK(n_features=48, n_active=4, values="uniform")
    return tegum.dictionaries.spherical(48, 16, seed=1).encode(features.sample(4000, seed=0))


def described():
    return [TopKSAE(n_features=48, n_active=4), MatryoshkaSAE(n_features=48, n_active=4)]


if __name__ == "__main__":
    torch.set_num_threads(1)
    fit(described(), data(), out=sys.argv[1], on_report=lambda i, told: time.sleep(float(sys.argv[2])), progress=False, **SETTINGS)
