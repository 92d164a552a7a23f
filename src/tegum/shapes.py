"""Shapes in annotations: jaxtyping's names, or plain stand-ins on a machine that lacks it.

The numeric rooms run uninstalled (`PYTHONPATH=src`) on a bare GPU box with torch, NumPy, numba and pytest alone. There an annotation such as
`Float[Tensor, "batch dims"]` says the same to its reader and nothing to the interpreter.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Shaped
else:
    try:
        from jaxtyping import Bool, Float, Int, Shaped
    except ModuleNotFoundError:

        class _Unchecked:
            def __class_getitem__(cls, _: Any) -> Any:
                return Any

        Bool = Float = Int = Shaped = _Unchecked

__all__ = ["Bool", "Float", "Int", "Shaped"]
