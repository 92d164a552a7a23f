"""Moments of a normal's tail, m_j(t) = E (g - t)_+^j for t >= 0, as log Q(t) and the ratios m_j / m_{j-1}, which neither cancel nor underflow.

By parts, m_{j+1} = j m_{j-1} - t m_j. Upwards from Q and phi this loses every digit as t grows; read as

    m_j / m_{j-1} = j / (t + m_{j+1} / m_j)

it is Laplace's continued fraction, and stable. G(t) = m_2 = (1 + t^2) Q - t phi is what the l1 curves are made of.
"""

import numpy as np
import torch

from tegum.theory._counts import Real

NEAR = 2.0
TERMS = 80


def tail(t: Real) -> tuple[Real, list[Real]]:
    """log Q(t), and the ratios m_1/m_0 to m_4/m_3; t >= 0."""
    far = np.maximum(t, NEAR)
    rest = np.sqrt(far * far / 4 + TERMS) - far / 2  # where the fraction's tail, c = TERMS / (t + c), settles
    fractions = []
    for j in range(TERMS - 1, 0, -1):
        rest = j / (far + rest)
        fractions.append(rest)
    near = np.minimum(t, NEAR)
    moments = [np.ones_like(near), np.sqrt(2 / np.pi) / torch.special.erfcx(torch.as_tensor(near * np.sqrt(0.5))).numpy() - near]
    for j in range(1, 4):
        moments.append(j * moments[j - 1] - near * moments[j])
    ratios = [np.where(t < NEAR, moments[j] / moments[j - 1], fractions[-j]) for j in range(1, 5)]
    return torch.special.log_ndtr(torch.as_tensor(-t)).numpy()[()], ratios
