"""Symmetric matrices of +-1 off the diagonal and 0 on it that have two eigenvalues alone: what real equiangular tight frames are made of.

With eigenvalues a < 0 < b the matrix I - S/a is the Gram matrix of n unit vectors in as many dims as b has eigenvectors, all cosines +-1/|a|, and
I - S/b that of as many in the rest of the dims (Lemmens & Seidel 1973, 'Equiangular lines'; such a pair is Naimark's).
"""

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

_GOLAY = 0b110001110101  # generates the cyclic perfect Golay code of length 23


class Family(NamedTuple):
    """One frame: n directions in d dims, what its matrix is, and where it is from."""

    n: int
    d: int
    matrix: Callable[[], np.ndarray]
    source: str


def families(most: int) -> Iterator[Family]:
    """All that are made here with at most `most` directions, the two frames of each matrix apart."""
    for q in range(5, most, 4):
        if _prime_power(q) is not None:
            yield Family(q + 1, (q + 1) // 2, lambda q=q: paley(q), f"conference matrix of Paley, q = {q}")
    for m in itertools.takewhile(lambda m: 2 ** (m - 1) * (2**m - 1) <= most, itertools.count(2)):
        half, whole = 2 ** (m - 1), 2**m
        third = (whole**2 - 1) // 3
        bent = half * (whole - 1), half * (whole + 1)
        for n, d, value in ((bent[1], (whole + 1) * (half + 1) // 3, 0), (bent[0], (whole - 1) * (half - 1) // 3, 1)):
            if m > 2:
                source = f"quadric in {2 * m} binary dims"
                yield from (Family(n, e, lambda m=m, v=value: quadric(m, v), source) for e in (d, third) if n <= most)
        source = f"bent function of {2 * m} bits"
        yield from (Family(whole**2, d, lambda m=m: bent_function(m), source) for d in bent if whole**2 <= most)
    for n, d, matrix, source in ((176, 22, witt_without_a_point, "less one point"), (276, 23, witt, "with its points")):
        yield from (Family(n, e, matrix, f"blocks of the Witt design on 23 points, {source}") for e in (d, n - d) if n <= most)


def paley(q: int) -> np.ndarray:
    """The symmetric conference matrix of order q + 1, q a prime power, 1 mod 4: quadratic residues of differences (Paley 1933)."""
    p, k = _prime_power(q) or (q, 1)
    elements = np.array(list(itertools.product(range(p), repeat=k)))
    place = p ** np.arange(k)[::-1]
    character = np.full(q, -1)
    character[[int(np.dot(square, place)) for square in _powers(p, k)[::2]]] = 1
    character[0] = 0
    matrix = np.ones((q + 1, q + 1), int)
    matrix[1:, 1:] = character[((elements[:, None] - elements) % p) @ place]
    matrix[0, 0] = 0
    return matrix


def quadric(m: int, value: int) -> np.ndarray:
    """(-1)^B(x, y) between those x of 2m bits with Q(x) = value, Q = sum_i x_i x_(m+i) and B its form (Taylor 1977, 'Regular 2-graphs')."""
    x = np.arange(4**m)
    x = x[_form(x, x, m) == value]
    matrix = 1 - 2 * (_form(x[:, None], x, m) ^ _form(x, x[:, None], m))
    np.fill_diagonal(matrix, 0)
    return matrix


def bent_function(m: int) -> np.ndarray:
    """(-1)^Q(x + y) between all x of 2m bits, Q as above: a Hadamard matrix with a constant diagonal (Rothaus 1976, 'On bent functions')."""
    x = np.arange(4**m)
    difference = x[:, None] ^ x
    matrix = 1 - 2 * _form(difference, difference, m)
    np.fill_diagonal(matrix, 0)
    return matrix


def witt() -> np.ndarray:
    """The two-graph on 276: 253 blocks of 7 of 23 points, and the points (Goethals & Seidel 1975, 'The regular two-graph on 276 vertices')."""
    blocks = _witt_blocks()
    incident = 2 * blocks - 1
    return np.block([[np.eye(23, dtype=int) - 1, incident.T], [incident, _meeting(blocks)]])


def witt_without_a_point() -> np.ndarray:
    """The 176 blocks that miss one point."""
    blocks = _witt_blocks()
    return _meeting(blocks[blocks[:, 0] == 0])


def _meeting(blocks: np.ndarray) -> np.ndarray:
    """1 where two blocks meet in one point, -1 where in three: they do nothing else."""
    matrix = np.where(blocks @ blocks.T == 1, 1, -1)
    np.fill_diagonal(matrix, 0)
    return matrix


def _witt_blocks() -> np.ndarray:
    """The words of weight 7 of the Golay code, which are the Steiner system S(4, 7, 23)."""
    words = [0]
    for shift in range(12):
        words += [word ^ (_GOLAY << shift) for word in words]
    return np.array([[word >> point & 1 for point in range(23)] for word in words if word.bit_count() == 7])


def _form(x: np.ndarray, y: np.ndarray, m: int) -> np.ndarray:
    """sum_i x_(m+i) y_i mod 2."""
    word = (x >> m) & y & ((1 << m) - 1)
    for shift in (16, 8, 4, 2, 1):
        word = word ^ (word >> shift)
    return word & 1


def _prime_power(q: int) -> tuple[int, int] | None:
    """p and k with q = p^k, or None."""
    p = next((p for p in range(2, int(q**0.5) + 1) if q % p == 0), q)
    k = 0
    while q % p == 0:
        q, k = q // p, k + 1
    return (p, k) if q == 1 else None


def _powers(p: int, k: int) -> list[tuple[int, ...]]:
    """The powers of a generator of the field of p^k elements, from the 0th on: its elements as digits, the highest first."""
    one = tuple([0] * (k - 1) + [1])
    for reduced in itertools.product(range(p), repeat=k):  # what x^k is, in lower powers
        found = [one]
        while len(found) < p**k:
            top, *rest = found[-1]
            following = tuple((digit + top * r) % p for digit, r in zip((*rest, 0), reduced, strict=True))
            if following == one or not any(following):
                break
            found.append(following)
        if len(found) == p**k - 1:
            return found
    raise AssertionError(p, k)
