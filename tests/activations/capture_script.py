"""A capture in a process of its own, to be killed: `python capture_script.py FOLDER [SECONDS_A_BATCH]`."""

import sys
import time

import torch
from torch import nn

from tegum.activations import capture


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


def batches(count=40, wait=0.0):
    for number in range(count):
        time.sleep(wait)
        yield torch.randn(25, 8, generator=torch.Generator().manual_seed(number))


if __name__ == "__main__":
    capture(model(), "1", batches(wait=float(sys.argv[2]) if len(sys.argv) > 2 else 0.0), sys.argv[1], shard_bytes=25 * 16 * 4 * 4)
