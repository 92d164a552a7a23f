"""Parameters from words and back: `--set density=.05,.1` becomes validated parameters, or a grid of them.

A comma list fills a field that is a tuple, and makes a grid of a field that is not. JSON values are taken as they are: a text with a comma
in it, or one that looks like a number, is written as a JSON string.
"""

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from tegum.parts import did_you_mean
from tegum.store.experiment import Experiment

_MOST_SETTINGS = 10_000


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
    if (count := math.prod(map(len, choices.values()))) > _MOST_SETTINGS:
        product = " x ".join(f"{len(values)} {name}" for name, values in choices.items())
        raise ValueError(f"{experiment.name} is asked for at {product} = {count:,} settings; at most {_MOST_SETTINGS:,} are run at once")
    grid: dict[str, BaseModel] = {}
    for values in itertools.product(*choices.values()):
        merged = {**{name: getattr(base, name) for name in fields}, **dict(zip(choices, values, strict=True))}
        try:
            params = type(base).model_validate(merged)
        except ValidationError as error:
            raise ValueError(explain(error, experiment.name)) from None
        for name, text in (changes or {}).items():
            if _counts_a_bool(merged[name], getattr(params, name)):
                raise ValueError(f"{experiment.name}: {name} = {text}: should be a number, not a bool")
        grid.setdefault(params.model_dump_json(), params)
    return list(grid.values())


def changed_params(experiment: Experiment | type[Experiment], preset: str, params: Mapping[str, Any]) -> dict[str, str]:
    """The parameters (as JSON values) that differ from the preset's, each as `--set` takes it; all of them where there is no such preset."""
    base = experiment.presets[preset].model_dump(mode="json") if preset in experiment.presets else {}
    ordered = [name for name in dict.fromkeys([*experiment.Params.model_fields, *params]) if name in params]
    return {name: as_text(params[name]) for name in ordered if name not in base or base[name] != params[name]}


def setting_words(experiment: Experiment | type[Experiment], preset: str, params: Mapping[str, Any]) -> str:
    """A setting by its preset and what is changed in it: `quick flips=100`."""
    return " ".join([preset, *(f"{name}={text}" for name, text in changed_params(experiment, preset, params).items())])


def as_text(value: Any) -> str:
    """A JSON value as `--set` takes it: words as they are, a list of numbers by commas, the rest as JSON."""
    if isinstance(value, (list, tuple)) and value and all(isinstance(item, (int, float)) for item in value):
        return ",".join(map(json.dumps, value))
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        plain = list(_pieces(value)) == [value] and value[:1] not in ("[", "{")
    except ValueError:
        plain = False
    return value if plain else json.dumps(value)


def explain(error: ValidationError, owner: str) -> str:
    """A pydantic error as one line that names the field, the value and what is allowed."""
    faults = []
    for fault in error.errors():
        where = "".join(f"[{place}]" if isinstance(place, int) else f".{place}" for place in fault["loc"]).lstrip(".")
        said = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
        faults.append(f"{where} = {fault['input']!r}: {said}" if where else said)
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
    try:
        pieces = list(_pieces(text))
    except ValueError:
        raise ValueError(f"{name} = {text!r} has an empty value in its list") from None
    return [pieces] if several else pieces


def _pieces(text: str) -> Iterator[Any]:
    """The values of a comma list: JSON where a piece is JSON (true, null, 3, "a, b"), the piece itself otherwise.

    `.05` and `inf` are left to pydantic. Raises ValueError at a piece that is empty.
    """
    rest: str | None = text
    while rest is not None:
        value, comma, after = _first_value(rest.strip())
        yield value
        rest = after if comma else None


def _first_value(text: str) -> tuple[Any, str, str]:
    """(value, comma, what follows)."""
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        pass
    else:
        between, comma, after = text[end:].partition(",")
        if not between.strip():
            return value, comma, after
    piece, comma, after = text.partition(",")
    if not piece.strip():
        raise ValueError("an empty value")
    return piece.strip(), comma, after


def _counts_a_bool(given: Any, taken: Any) -> bool:
    """True where pydantic took True or False for a number."""
    if isinstance(given, (list, tuple)) and isinstance(taken, (list, tuple)):
        return any(map(_counts_a_bool, given, taken))
    return isinstance(given, bool) and isinstance(taken, (int, float)) and not isinstance(taken, bool)


def _takes_several(annotation: Any) -> bool:
    origin = get_origin(annotation) or annotation
    if origin in (tuple, list, set, frozenset):
        return True
    return any(_takes_several(inner) for inner in get_args(annotation) if get_origin(annotation) is not None and inner is not annotation)
