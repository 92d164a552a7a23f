"""What no decoder can do better than: bits of a k-subset against bits that d dims can hold.

Real numbers without noise hold anything in one dim, so a limit is always for some noise or some precision:

- noise: x in d dims with independent Gaussian noise carries at most d/2 log2(1 + snr) bits (Shannon 1948), snr the power of a dim over the
  noise's variance: (k/d) / s^2 for a sum of k directions of unit length. As d grows that tends to k / (2 s^2 ln 2): beyond some noise no d
  is enough;
- integers: a sum of k directions of +-1 has in each dim a number with the law of a sum of k signs, and of no more bits than its entropy,
  close to log2(pi e k / 2) / 2. So d must be at least the bits of the subset over that, by counting. To leading order, 2 k ln(N/k) / ln k,
  trying all subsets needs no more when k is a power of N (Feige & Lellouche 2020, 'Quantitative group testing and the rank of random
  matrices').

Source: Shannon 1948; Gadzinski, *When Numbers Are Bits*, on k log2(e N / k).
"""

import numpy as np

from tegum.features._subset_bits import subset_bits
from tegum.theory._counts import Real, counts, positive
from tegum.theory._numbers import Numbers
from tegum.theory._roots import rising_root

EXACT = 1000  # k up to which the entropy of a sum of signs is summed


def subset_bits_approximate(n: Numbers, k: Numbers) -> Real:
    """k log2(e n / k): above the true bits by log2(2 pi k) / 2 or so as long as k << n. Raises ValueError unless 1 <= k <= n."""
    n, k, _ = counts(n, k)
    return (k * (np.log(n / k) + 1) / np.log(2))[()]


def gaussian_capacity(d: Numbers, snr: Numbers) -> Real:
    """Bits that d dims with Gaussian noise can carry: d/2 log2(1 + snr), `snr` the power of a dim over the variance of its noise."""
    return (positive("d", d) * np.log1p(positive("snr", snr)) / (2 * np.log(2)))[()]


def noisy_dims(n: Numbers, k: Numbers, noise_std: Numbers) -> Real:
    """The dims below which no decoder reads a k-subset from its k unit directions' sum with noise; inf if none are enough.

    `noise_std` is that of each dim. Solves d/2 log2(1 + k / (d noise_std^2)) = log2 C(n, k). Raises ValueError unless 1 <= k <= n and
    noise_std > 0.
    """
    _, part, _ = counts(n, k)
    log_power, nats = np.broadcast_arrays(np.log(part) - 2 * np.log(positive("noise_std", noise_std)), np.log(2) * _bits(n, k))
    some = nats > 0
    nats = np.where(some, nats, 1.0)
    excess = log_power - np.log(2 * nats)  # of what infinitely many dims carry; the logarithm of snr / log1p(snr)
    enough = some & (excess > 0)
    log_power, excess = np.where(enough, log_power, np.log(2 * nats) + 1), np.where(enough, excess, 1.0)
    # the root is close to nats / excess as the excess goes to 0, and to twice that where it is large, but for its logarithm
    d = rising_root(lambda d: d * np.logaddexp(0, log_power - np.log(d)) / 2 - nats, nats / excess)
    return np.where(enough, d, np.where(some, np.inf, 0.0))[()]


def sign_sum_bits(k: Numbers) -> Real:
    """Entropy in bits of a sum of k fair signs, about log2(pi e k / 2) / 2.

    Raises ValueError unless k is at least 1; it is rounded to a whole number.
    """
    k = positive("k", k)
    if not np.all(k >= 1):
        raise ValueError(f"k must be at least 1, got {k}")
    return np.reshape([_binomial_nats(int(np.round(one))) / np.log(2) for one in k.flat], k.shape)[()]


def integer_dims(n: Numbers, k: Numbers) -> Real:
    """The dims below which sums of k directions of +-1 can not be told apart: the subset's bits over those of a sum of k signs.

    Raises ValueError unless 1 <= k <= n.
    """
    _, part, _ = counts(n, k)
    return _bits(n, k) / sign_sum_bits(part)


def _bits(n: Numbers, k: Numbers) -> np.ndarray:
    return np.asarray(subset_bits(np.asarray(n), np.asarray(k)))


def _binomial_nats(k: int) -> float:
    """Summed up to k = EXACT; beyond, by the series whose terms vanish but for 1/k^2 and 1/k^3 to 1e-12."""
    if k > EXACT:
        return float((np.log(np.pi * k / 2) + 1) / 2 - 1 / (12 * k**2) - 1 / (6 * k**3))
    steps = np.arange((k + 1) // 2, k)  # from the middle up: the other half mirrors it
    fall = np.concatenate(([0.0], np.cumsum(np.log((k - steps) / (steps + 1)))))
    mass = 2 * np.exp(fall)
    if k % 2 == 0:
        mass[0] = 1
    return float(np.log(mass.sum()) - mass @ fall / mass.sum())
