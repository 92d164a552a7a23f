"""Parameters from words: `--set density=.05,.1` becomes validated parameters, or a grid of them.

A comma list fills a field that is a tuple, and makes a grid of a field that is not. JSON values are taken as they are.
"""

import itertools
import json
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from tegum.parts import did_you_mean
from tegum.store.experiment import Experiment


def params_grid(experiment: Experiment | type[Experiment], preset: str, changes: Mapping[str, str] | None = None) -> list[Any]:
    """The preset's parameters with `changes` ({field: text}) applied: one set of parameters, or the product of all comma lists.

    Raises
    ------
    ValueError
        One line that names the preset, the field or the value that is not allowed, and what is.
    """
    presets: dict[str, BaseModel] = experiment.presets
    if preset not in presets:
        raise ValueError(f"{experiment.name} has no preset {preset!r}; {did_you_mean(preset, list(presets))}")
    base = presets[preset]
    fields = type(base).model_fields
    choices: dict[str, list[Any]] = {}
    for name, text in (changes or {}).items():
        if name not in fields:
            raise ValueError(f"{experiment.name} has no parameter {name!r}; {did_you_mean(name, list(fields))}")
        choices[name] = _choices(name, text, several=_takes_several(fields[name].annotation))
    grid = []
    for values in itertools.product(*choices.values()):
        merged = {**{name: getattr(base, name) for name in fields}, **dict(zip(choices, values, strict=True))}
        try:
            params = type(base).model_validate(merged)
        except ValidationError as error:
            raise ValueError(explain(error, experiment.name)) from None
        if params not in grid:
            grid.append(params)
    return grid


def explain(error: ValidationError, owner: str) -> str:
    """A pydantic error as one line that names the field, the value and what is allowed."""
    faults = []
    for fault in error.errors():
        where = "".join(f"[{place}]" if isinstance(place, int) else f".{place}" for place in fault["loc"]).lstrip(".")
        said = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
        faults.append(f"{where or 'parameters'} = {fault['input']!r}: {said}")
    return f"{owner}: {'; '.join(faults)}"


def _choices(name: str, text: str, *, several: bool) -> list[Any]:
    text = text.strip()
    if not text:
        raise ValueError(f"{name} has no value: write {name}=VALUE")
    if text[0] in "[{":
        try:
            return [json.loads(text)]
        except json.JSONDecodeError as error:
            raise ValueError(f"{name} = {text!r} is not JSON: {error.msg} at character {error.pos + 1}") from None
    if text == "null":
        return [None]
    pieces = [_value(piece.strip()) for piece in text.split(",")]
    if "" in pieces:
        raise ValueError(f"{name} = {text!r} has an empty value in its list")
    return [pieces] if several else pieces


def _value(piece: str) -> Any:
    """JSON where the text is JSON (true, null, 3, "a"), the text itself otherwise; `.05` and `inf` are left to pydantic."""
    try:
        return json.loads(piece)
    except json.JSONDecodeError:
        return piece


def _takes_several(annotation: Any) -> bool:
    origin = get_origin(annotation) or annotation
    if origin in (tuple, list, set, frozenset):
        return True
    return any(_takes_several(inner) for inner in get_args(annotation) if get_origin(annotation) is not None and inner is not annotation)
