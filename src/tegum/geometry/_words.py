"""How a result tells a tensor: a scalar as a number, more of them as their shape and range. A repr is read, not computed with."""

from torch import Tensor


def said(values: Tensor) -> str:
    """'0.34', or '(3, 4) from 0.1 to 0.5'."""
    if values.ndim == 0:
        return f"{float(values):.4g}"
    shape = "x".join(map(str, values.shape))
    return f"({shape}) from {float(values.min()):.4g} to {float(values.max()):.4g}" if values.numel() else f"({shape})"
