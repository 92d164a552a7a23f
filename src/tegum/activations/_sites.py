"""Sites: named submodules whose input or output is taken in passing, by plain forward hooks; the pass ends when all have been reached."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tegum.parts import did_you_mean

WHERES = "output", "input"


class _Reached(BaseException):  # a model that catches its own errors must not catch this
    """Everything asked for was seen: not an error."""


def check_sites(model: nn.Module, sites: Sequence[str]) -> None:
    """Raise ValueError for a name that is no submodule of the model, or is asked for twice."""
    known = dict(model.named_modules(remove_duplicate=False))
    for site in sites:
        if site not in known:
            raise ValueError(f"{type(model).__name__} has no submodule {site!r}; {did_you_mean(site, list(known))}")
    if len(set(sites)) < len(sites):
        raise ValueError(f"a site is asked for twice: {', '.join(sites)}")
    if not sites:
        raise ValueError("no site is asked for; name a submodule, as in model.named_modules()")


@contextmanager
def watched(model: nn.Module, sites: Sequence[str], where: str) -> Iterator[dict[str, Any]]:
    """What each site was given or gave in its first call of a pass, filled in while the model runs (`run`); hooks are gone at the end.

    A tensor where there is one, else what was there instead. What is seen before the pass ends is copied: the model may go on in place.
    """
    seen: dict[str, Any] = {}

    def keep(site: str, value: Any) -> None:
        if site not in seen:
            tensor = tensor_of(value)
            last = len(seen) + 1 == len(sites)
            seen[site] = value if tensor is None else tensor.detach() if last else tensor.detach().clone()
        if len(seen) == len(sites):
            raise _Reached

    handles = []
    for site in sites:
        module = model.get_submodule(site)
        if where == "output":
            handles.append(module.register_forward_hook(lambda _, __, output, site=site: keep(site, output)))
        else:
            handles.append(
                module.register_forward_pre_hook(lambda _, args, kwargs, site=site: keep(site, (*args, *kwargs.values())), with_kwargs=True)
            )
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def run(model: nn.Module, batch: Any) -> None:
    """One pass: of a mapping as keywords, of a tuple or list as arguments, of anything else as the one argument."""
    try:
        if isinstance(batch, Mapping):
            model(**batch)
        elif isinstance(batch, (tuple, list)):
            model(*batch)
        else:
            model(batch)
    except _Reached:
        return


def tensor_of(value: Any) -> Tensor | None:
    """The first floating-point tensor of a value: itself, or in a tuple, a list, a mapping or a model output."""
    if isinstance(value, Tensor):
        return value if value.is_floating_point() else None
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, (tuple, list)) else ()
    return next((found for part in parts if (found := tensor_of(part)) is not None), None)


def to_device(value: Any, device: torch.device) -> Any:
    """The same with every tensor on the device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {name: to_device(part, device) for name, part in value.items()}
    if isinstance(value, (tuple, list)):
        return tuple(to_device(part, device) for part in value)
    return value


def leaves(value: Any) -> Iterator[tuple[str, Any]]:
    """Everything that a batch is made of that is not a mapping, a tuple or a list, with the way to it."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from ((f".{name}{way}", leaf) for way, leaf in leaves(part))
    elif isinstance(value, (tuple, list)):
        for place, part in enumerate(value):
            yield from ((f".{place}{way}", leaf) for way, leaf in leaves(part))
    else:
        yield "", value
