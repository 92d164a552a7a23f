"""What the closed forms take and give: one number or an array of them (numpy's own ArrayLike fails at run time on a plain float)."""

from collections.abc import Sequence

import numpy as np

Numbers = int | float | np.generic | np.ndarray | Sequence
Array = np.ndarray | np.generic
