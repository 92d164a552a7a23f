"""Where a rising function of a positive number crosses zero, for a whole array of such functions at once.

Chandrupatla 1997, 'A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear function without using derivatives': inverse
quadratic interpolation where three points warrant it, halving where they do not. It works on y = log2(x / guess), which keeps every digit of x.
"""

from collections.abc import Callable

import numpy as np

from tegum.theory._counts import Real

DOUBLINGS = 200  # how far from the first guess the crossing is looked for
STEPS = 100  # halving alone takes 53 from a bracket of one doubling
CLOSE = 2.0**-52


def rising_root(function: Callable[[Real], Real], guess: Real) -> Real:
    """The x > 0 with function(x) = 0, to the last digits that the function has. `function` takes and gives arrays of the shape of `guess`.

    0 where it is above zero 2^-200 below the guess already, infinite where it stays below zero 2^200 above it, nan where it is nan on the way.
    """

    def at(y: Real) -> Real:
        return function(guess * np.exp2(y))

    low = high = np.zeros(np.shape(guess))
    f_low = f_high = at(low)
    below = f_low < 0
    for _ in range(DOUBLINGS):
        falls, rises = ~below & (f_low >= 0), below & (f_high < 0)
        if not (falls.any() or rises.any()):
            break
        beyond = np.where(falls, low - 1, high + 1)
        f_beyond = at(beyond)
        low, f_low, high, f_high = (
            np.where(falls, new_if_falls, np.where(rises, new_if_rises, old))
            for new_if_falls, new_if_rises, old in (
                (beyond, high, low),
                (f_beyond, f_high, f_low),
                (low, beyond, high),
                (f_low, f_beyond, f_high),
            )
        )
    nowhere, everywhere, lost = f_high < 0, f_low >= 0, np.isnan(f_low) | np.isnan(f_high)
    y = root_between(at, low, f_low, high, f_high)
    return np.where(nowhere, np.inf, np.where(everywhere, 0.0, np.where(lost, np.nan, guess * np.exp2(y))))[()]


def root_between(function: Callable[[Real], Real], a: Real, fa: Real, b: Real, fb: Real) -> Real:
    """The zero of `function` between a and b, to the last digits; fa and fb, its values there, differ in sign. nan where it is nan on the way."""
    with np.errstate(all="ignore"):  # a function may be -inf at one end; then halving is taken
        return _chandrupatla(function, a, fa, b, fb)


def _chandrupatla(at: Callable[[Real], Real], a: Real, fa: Real, b: Real, fb: Real) -> Real:
    """`a` is the newest point, `b` the end across the zero from it, `c` the one before; the next point is a part `t` of the way from a to b."""
    t: Real = np.full(np.shape(a), 0.5)
    for _ in range(STEPS):
        new = a + t * (b - a)
        f_new = np.where(np.isnan(fa), np.nan, at(new))
        same = (f_new < 0) == (fa < 0)
        c, fc = np.where(same, a, b), np.where(same, fa, fb)
        b, fb = np.where(same, b, a), np.where(same, fb, fa)
        a, fa = new, f_new
        width = np.abs(b - a)
        if np.all((width <= CLOSE * np.maximum(np.abs(a), 1)) | (fa == 0) | np.isnan(fa)):
            break
        xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
        quadratic = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
        step = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        least = np.minimum(CLOSE / 2 * np.maximum(np.abs(a), 1) / width, 0.5)
        t = np.clip(np.where(quadratic & np.isfinite(step), step, 0.5), least, 1 - least)
    return np.where(np.isnan(fa), np.nan, np.where(np.abs(fa) <= np.abs(fb), a, b))
