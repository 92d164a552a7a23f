"""Why cross-entropy likes a polysemantic neuron even where there is no superposition (Cho 2024).

n equiprobable tokens, one neuron that fires on n_on of them. The best a model can do is to predict a uniform distribution over the tokens
that share a state of the neuron: loss n_on/n ln n_on + (n - n_on)/n ln(n - n_on), in nats. Firing for one token of four costs
3/4 ln 3 = 0.824, firing for two costs ln 2 = 0.693.
Source: Cho 2024, 'Superposition Hypothesis', which quotes Bricken et al. 2023, 'Towards Monosemanticity' (architectural approaches).
"""

import numpy as np

from tegum.theory._numbers import Array, Numbers


def tokens_on_neuron_loss(n_tokens: Numbers, n_on: Numbers) -> Array:
    """Least cross-entropy, in nats, of one on/off neuron that fires on `n_on` of `n_tokens` equiprobable tokens; broadcasts.

    Raises ValueError unless 0 <= n_on <= n_tokens and n_tokens >= 1.
    """
    tokens, on = np.asarray(n_tokens, dtype=np.float64), np.asarray(n_on, dtype=np.float64)
    if not (np.all(tokens >= 1) and np.all(on >= 0) and np.all(on <= tokens)):
        raise ValueError(f"n_on must be from 0 to n_tokens >= 1, got n_tokens={n_tokens} and n_on={n_on}")
    off = tokens - on
    return (on * np.log(np.maximum(on, 1)) + off * np.log(np.maximum(off, 1))) / tokens
