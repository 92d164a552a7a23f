"""Where a rising function of a positive number crosses zero, for a whole array of such functions at once."""

from collections.abc import Callable

import numpy as np

from tegum.theory._counts import Real

DOUBLINGS = 200  # how far from the first guess the crossing is looked for
HALVINGS = 64  # of the logarithm of a bracket no wider than a doubling: the last float64 is reached by the 53rd


def rising_root(function: Callable[[np.ndarray], Real], guess: Real) -> np.ndarray:
    """The x > 0 with function(x) = 0, to the last digits that the function has; 0 where it is above zero 2^-200 below the guess already.

    infinite where it stays below zero 2^200 above the guess. `function` takes and gives arrays of the shape of `guess`.
    """
    low = high = np.array(guess, dtype=np.float64)
    below = function(low) < 0
    for _ in range(DOUBLINGS):
        falls, rises = ~below & (function(low) >= 0), below & (function(high) < 0)
        if not (falls.any() or rises.any()):
            break
        low, high = np.where(falls, low / 2, np.where(rises, high, low)), np.where(rises, high * 2, np.where(falls, low, high))
    nowhere, everywhere = below & (function(high) < 0), ~below & (function(low) >= 0)
    for _ in range(HALVINGS):
        middle = np.sqrt(low) * np.sqrt(high)
        under = function(middle) < 0
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return np.where(nowhere, np.inf, np.where(everywhere, 0.0, high))
