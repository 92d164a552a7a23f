"""Hashed: a direction for every string and every integer, made on the fly: all short strings can be features, and none is stored.

What the first section of a set of strings in superposition needs: hash, sum, and ask (Gadzinski, *When Numbers Are Bits*). Any program repeats it
with BLAKE2b (RFC 7693) and Philox4x32-10 (Salmon et al. 2011):

1. The key of a string is the 8-byte BLAKE2b digest of its UTF-8 bytes, without key or salt, read as a little-endian number. An integer is its own.
2. For t = 0 ... d - 1 let w0, w1, w2, w3 = Philox4x32-10(counter, key) with counter = (t // 128, K mod 2^32, K >> 32, 129 << 24 | 1), K the key
   of step 1, and with the generator's key (seed mod 2^32, seed >> 32). Bit t % 32 (0 is the lowest) of word (t // 32) % 4 is the bit of dim t.
3. Entry t is 1/sqrt(d) where its bit is 0, and -1/sqrt(d) where it is 1.

With seed 0, the string "cat" has the key 0x2f989d7b2cdd2733, and its first word is 0x80df6589: dims 0 to 7 are - + + - + + + -.
"""

from collections.abc import Sequence

import torch

from tegum.checks import check_count
from tegum.dictionaries._door import check_construction
from tegum.dictionaries._hashed import Hashed, Key, distinct


def hashed(
    n_features: int | Sequence[Key],
    n_dims: int,
    seed: int = 0,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Hashed:
    """Directions made from keys: those given (strings, or integers from 0 to 2^64 - 1, no two alike), or 0 ... n_features - 1 for a number.

    Beside what every dictionary does it has `direction_of`, `superpose`, `query` and `index`, which take keys; all but the last take any key, of a
    feature or not. With a number of features it is `rademacher`, not stored.
    """
    if isinstance(n_features, str):
        raise ValueError(f"n_features is the string {n_features!r}; give a number of features, or a list of their keys")
    if isinstance(n_features, Sequence):
        check_count("len(n_features)", len(n_features))
        keys, count = distinct(n_features).to(device), len(n_features)
    else:
        keys, count = None, n_features
    check_construction(count, n_dims, seed, dtype)
    return Hashed(keys, count, n_dims, seed, dtype, device)
