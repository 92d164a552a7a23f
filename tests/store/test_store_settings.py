"""Identity of a setting, and parameters from words."""

import random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, PositiveFloat, PositiveInt

from tegum.store import Cell, Experiment, Row, params_grid
from tegum.store.experiment import cell_key, params_dict, setting_key
from tegum.store.settings import changed_params


class Dials(Experiment):
    """One parameter of every kind."""

    name = "dials"

    class Params(Experiment.Params):
        density: tuple[float, ...] = (0.1,)
        pair: tuple[PositiveFloat, PositiveFloat] | None = None
        steps: PositiveInt = 10
        rate: PositiveFloat = 0.1
        kind: Literal["binary", "signed"] = "binary"
        share: float = Field(0.5, ge=0, le=1)
        bias: bool = True
        word: str = ""
        words: tuple[str, ...] = ()

    presets = {"quick": Params(), "paper": Params(steps=100)}

    def cells(self, params):
        return [Cell(density=p) for p in params.density]

    def run(self, cell, params):
        return Row(loss=0.0)

    def claims(self, rows):
        return ()


class Changed(Dials):
    """The same experiment after a change of its code."""

    name = "dials"
    version = 2


def grid(**changes):
    return params_grid(Dials, "quick", changes)


def test_a_comma_list_fills_a_tuple_and_makes_a_grid_of_a_scalar():
    assert [p.density for p in grid(density=".05,.1")] == [(0.05, 0.1)]
    assert [p.density for p in grid(density="1")] == [(1.0,)]
    assert [p.pair for p in grid(pair="1,.5")] == [(1.0, 0.5)]
    assert [(p.steps, p.rate) for p in grid(steps="1,2", rate=".1,.2")] == [(1, 0.1), (1, 0.2), (2, 0.1), (2, 0.2)]
    assert [p.kind for p in grid(kind="binary,signed")] == ["binary", "signed"]
    assert [p.bias for p in grid(bias="false")] == [False]
    assert [p.pair for p in grid(pair="null")] == [None]
    assert len(grid(steps="5,5")) == 1


def test_json_is_taken():
    assert grid(density="[0.25, 1e-3]")[0].density == (0.25, 1e-3)
    assert grid(pair="[1, 2]")[0].pair == (1.0, 2.0)
    assert grid(kind='"signed"')[0].kind == "signed"
    assert [p.word for p in grid(word='"a, b", c,""')] == ["a, b", "c", ""]


awkward = st.text(max_size=5) | st.sampled_from(["true", "3", "a,b", "[1]", '"', " a ", "null", "", "{", "NaN", "1,2"])


@given(word=awkward, words=st.lists(awkward, max_size=3), density=st.lists(st.floats(0, 1), min_size=1, max_size=3), bias=st.booleans())
def test_parameters_are_read_back_from_their_own_words(word, words, density, bias):
    params = Dials.Params(word=word, words=tuple(words), density=tuple(density), bias=bias)
    assert params_grid(Dials, "paper", changed_params(Dials, "paper", params_dict(params))) == [params]


def test_only_what_differs_from_the_preset_is_named():
    told = params_dict(Dials.Params(steps=7, density=(0.5, 1e-3)))
    assert changed_params(Dials, "paper", told) == {"density": "0.5,0.001", "steps": "7"}
    assert changed_params(Dials, "quick", params_dict(Dials.Params())) == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"densty": "1"}, r"no parameter 'densty'; did you mean 'density'\?"),
        ({"density": ".1,two"}, r"density\[1\] = 'two': should be a valid number"),
        ({"density": "inf"}, r"density\[0\] = 'inf': should be a finite number"),
        ({"rate": "nan"}, "rate = 'nan': should be"),
        ({"steps": "0"}, "steps = 0: should be greater than 0"),
        ({"steps": "1.5"}, "steps = 1.5: should be a valid integer"),
        ({"steps": "3,-1"}, "steps = -1: should be greater than 0"),
        ({"kind": "gaussian"}, "kind = 'gaussian': should be 'binary' or 'signed'"),
        ({"share": "1.2"}, "share = 1.2: should be less than or equal to 1"),
        ({"steps": ""}, "steps has no value"),
        ({"density": ".1,,.2"}, "empty value"),
        ({"density": "[1,"}, "is not JSON"),
        ({"density": "[]"}, "density is empty; it must have at least one entry"),
        ({"seed": "-1"}, "seed = -1: should be greater than or equal to 0"),
        ({"seed": str(2**63)}, "should be less than 9223372036854775808"),
        ({"steps": "true"}, "steps = true: should be a number, not a bool"),
        ({"density": ".1,false"}, "density = .1,false: should be a number, not a bool"),
        (
            dict.fromkeys(("steps", "rate", "seed"), ",".join(map(str, range(1, 101)))),
            "at 100 steps x 100 rate x 100 seed = 1,000,000 settings; at most 10,000",
        ),
    ],
)
def test_a_bad_value_is_one_line_that_names_it(changes, said):
    with pytest.raises(ValueError, match=said) as caught:
        grid(**changes)
    assert "\n" not in str(caught.value)


def test_an_unknown_preset_is_named():
    with pytest.raises(ValueError, match=r"no preset 'quik'; did you mean 'quick'\?"):
        params_grid(Dials(), "quik")
    assert params_grid(Dials(), "paper") == [Dials.Params(steps=100)]


fields = {"density": st.lists(st.floats(0, 1), min_size=1, max_size=3).map(tuple), "steps": st.integers(1, 9), "seed": st.integers(0, 9)}


@given(a=st.fixed_dictionaries({}, optional=fields), b=st.fixed_dictionaries({}, optional=fields), chance=st.integers())
def test_identity_is_that_of_the_values_whatever_their_order(a, b, chance):
    one, other = Dials.Params(**a), Dials.Params(**b)
    shuffled = random.Random(chance).sample(list(a.items()), len(a))
    assert setting_key(Dials(), Dials.Params(**dict(shuffled))) == setting_key(Dials(), one)
    assert (setting_key(Dials(), one) == setting_key(Dials(), other)) == (params_dict(one) == params_dict(other))


def test_identity_changes_with_version_parameters_and_cell():
    params, cell = Dials.Params(), Cell(density=0.1)
    keys = [
        cell_key(Dials(), params, cell),
        cell_key(Changed(), params, cell),
        cell_key(Dials(), Dials.Params(seed=1), cell),
        cell_key(Dials(), params, Cell(density=0.2)),
        cell_key(Dials(), params, Cell(density=0.1, m=1)),
    ]
    assert len(set(keys)) == len(keys)
