"""What every experiment must do before anything is run, over whatever is discovered: say what it is, and refuse what makes no sense."""

import json
import math
import re
import sys
from typing import get_args

import pytest
from pydantic import ValidationError

from tegum import parts
from tegum.experiments import Cell, Experiment
from tegum.store.experiment import params_dict

FOUND = parts.discover("experiments")
every = pytest.mark.parametrize("experiment", [pytest.param(e(), id=name) for name, e in FOUND.items()])
every_preset = pytest.mark.parametrize(
    ("experiment", "params"), [pytest.param(e(), p, id=f"{name}-{preset}") for name, e in FOUND.items() for preset, p in e.presets.items()]
)


def has_number(annotation) -> bool:
    return annotation in (int, float) or any(has_number(inner) for inner in get_args(annotation))


def fields(experiment) -> list[str]:
    """Those that hold a number, or several."""
    return [name for name, field in experiment.Params.model_fields.items() if has_number(field.annotation)]


def spoilt(value, bad):
    """`value` with each of its numbers in turn replaced by `bad`, and which number it was."""
    if isinstance(value, list):
        for place, inner in enumerate(value):
            for number, other in spoilt(inner, bad):
                yield number, [*value[:place], other, *value[place + 1 :]]
    elif value is None:  # a number or several may stand here
        yield None, bad
        yield None, [bad]
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value, bad


def attempts(experiment, bad):
    """(field, its number, all parameters) for each number of each preset, with `bad` in its place."""
    for params in experiment.presets.values():
        good = params.model_dump(mode="json")
        for field in fields(experiment):
            for number, wrong in spoilt(good[field], bad):
                yield field, number, {**good, field: wrong}


@every
def test_it_says_what_it_is_and_where_the_claim_stands(experiment):
    for text in (experiment.id, experiment.title, experiment.source, sys.modules[type(experiment).__module__].__doc__):
        assert isinstance(text, str)
        assert text.strip()


@every
def test_it_answers_to_its_files_name_and_to_its_id(experiment):
    assert experiment.name == type(experiment).__module__.rpartition(".")[2]
    assert parts.find("experiments", experiment.name) is parts.find("experiments", experiment.id) is type(experiment)


def test_no_two_answer_to_one_name():
    """Ids are found whatever their case."""
    names = [name.lower() for experiment in FOUND.values() for name in (experiment.id, experiment.name)]
    assert sorted(names) == sorted(set(names))


@every
def test_it_has_a_quick_preset_and_that_of_the_paper(experiment):
    assert {"quick", "paper"} <= experiment.presets.keys()
    assert issubclass(experiment.Params, Experiment.Params)
    for params in experiment.presets.values():
        assert type(params) is experiment.Params


@every_preset
def test_its_parameters_survive_json_and_cannot_be_changed(experiment, params):
    assert experiment.Params.model_validate(json.loads(json.dumps(params_dict(params)))) == params
    with pytest.raises(ValidationError, match="frozen"):
        params.seed = params.seed + 1


@every_preset
def test_its_work_is_different_cells_and_the_same_ones_each_time(experiment, params):
    cells = experiment.cells(params)
    assert len(cells) > 0
    assert all(isinstance(cell, Cell) for cell in cells)
    assert len(set(cells)) == len(cells)
    assert experiment.cells(params) == cells


@every_preset
def test_a_parameter_that_it_does_not_have_is_refused(experiment, params):
    with pytest.raises(ValidationError, match="no_such_parameter"):
        experiment.Params.model_validate({**params.model_dump(mode="json"), "no_such_parameter": 1})


@every
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_no_number_of_it_is_nan_or_infinite(experiment, bad):
    for field, _, values in attempts(experiment, bad):
        try:
            experiment.Params.model_validate(values)
        except ValidationError:
            continue
        pytest.fail(f"{field} takes {values[field]}")


@every
@pytest.mark.parametrize("low", [0, -1])
def test_it_counts_from_one_and_what_it_takes_gives_cells_or_a_clear_refusal(experiment, low):
    """An integer takes 0 or less only where its field states a least value, as `NonNegativeInt` does."""
    stated = experiment.Params.model_json_schema()
    for field, number, values in attempts(experiment, low):
        try:
            params = experiment.Params.model_validate(values)
        except ValidationError:
            continue
        if isinstance(number, int) and '"minimum"' not in json.dumps(stated["properties"][field]):
            pytest.fail(f"{field} takes {values[field]}")
        try:
            cells = experiment.cells(params)
        except ValueError:
            continue
        assert all(isinstance(cell, Cell) for cell in cells)


@every
@pytest.mark.parametrize("bad", [-0.1, 1.5])
def test_its_densities_and_probabilities_lie_in_0_to_1(experiment, bad):
    for field, _, values in attempts(experiment, bad):
        if re.search(r"densit|probab|sparsity|^p$", field):
            with pytest.raises(ValidationError, match=field):
                experiment.Params.model_validate(values)
