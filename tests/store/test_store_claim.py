"""Verdicts: the whole interval inside, the whole of it outside, or neither."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tegum.store import Claim

numbers = st.floats(-1e6, 1e6)
pairs = st.tuples(numbers, numbers).map(lambda pair: tuple(sorted(pair)))


@given(expected=pairs, interval=pairs, where=st.floats(0, 1), tolerance=st.floats(0, 1e6))
def test_the_verdict_is_where_the_interval_lies(expected, interval, where, tolerance):
    estimate = interval[0] + where * (interval[1] - interval[0])
    claim = Claim("x", estimate, expected=expected, interval=interval, tolerance=tolerance, reason="why")
    inside = [expected[0] - tolerance <= end <= expected[1] + tolerance for end in interval]
    if all(inside):
        assert claim.verdict == "holds"
    elif interval[1] < expected[0] - tolerance or interval[0] > expected[1] + tolerance:
        assert claim.verdict == "refuted"
    else:
        assert claim.verdict == "undecided"


@given(estimate=numbers, expected=numbers, tolerance=st.floats(0, 1e6))
def test_without_an_interval_the_estimate_decides(estimate, expected, tolerance):
    claim = Claim("x", estimate, expected=expected, tolerance=tolerance, reason="why")
    within = expected - tolerance <= estimate <= expected + tolerance
    assert claim.verdict == ("holds" if within else "refuted")


@given(estimate=numbers, expected=pairs, less=st.floats(0, 1e3), more=st.floats(0, 1e3))
def test_a_wider_tolerance_never_refutes_what_held(estimate, expected, less, more):
    before, after = (Claim("x", estimate, expected=expected, tolerance=width, reason="why") for width in (less, less + more))
    assert not (before.verdict == "holds" and after.verdict != "holds")


@pytest.mark.parametrize("expected", [True, 1.0, (0, None)])
def test_nan_decides_nothing(expected):
    assert Claim("x", math.nan, expected=expected).verdict == "undecided"


def test_an_interval_that_is_not_known_decides_nothing():
    assert Claim("x", 1.0, expected=1.0, interval=(math.nan, 2.0), reason="why").verdict == "undecided"


def test_open_ends_are_open():
    assert Claim("x", 1e300, expected=(0, None)).verdict == "holds"
    assert Claim("x", math.inf, expected=(0, None)).verdict == "holds"
    assert Claim("x", -1, expected=(None, 0)).verdict == "holds"
    assert Claim("x", 1, expected=(None, 0)).verdict == "refuted"


def test_scalars_of_numpy_and_torch_are_taken():
    torch = pytest.importorskip("torch")
    assert Claim("x", np.bool_(True), expected=True).verdict == "holds"
    assert Claim("x", torch.tensor(2.0), expected=np.float32(2)).verdict == "holds"
    assert Claim("x", np.array(3), expected=(2, 4)).estimate == 3.0
    assert Claim("x", estimate=False, expected=True).verdict == "refuted"


def test_a_change_of_verdict_is_told_from_a_refuted_claim_on_record():
    refuted = Claim("x", 2.0, expected=1.0, on_record="refuted", record_reason="the source's own figure shows it")
    assert (refuted.verdict, refuted.as_recorded) == ("refuted", True)
    assert not Claim("x", 2.0, expected=1.0).as_recorded
    assert "on record: holds" in str(Claim("x", 2.0, expected=1.0))


@given(estimate=st.floats(allow_nan=False), expected=pairs, tolerance=st.none() | st.floats(0, 1e6), interval=st.none() | pairs)
def test_a_claim_comes_back_from_json(estimate, expected, tolerance, interval):
    claim = Claim("x", estimate, expected=expected, tolerance=tolerance, interval=interval, reason="why", source="where")
    assert Claim.from_dict(json.loads(json.dumps(claim.to_dict()))) == claim


def test_an_exact_claim_needs_no_reason_for_a_tolerance_of_nothing():
    assert Claim("x", 1.0, expected=1.0, tolerance=0).as_recorded
    assert Claim("x", 1.0, expected=(0, 2), tolerance=None).as_recorded


def test_a_saved_claim_with_a_field_unknown_here_names_it():
    with pytest.raises(ValueError, match="'colour', which this tegum does not know"):
        Claim.from_dict(Claim("x", 1.0, expected=1.0).to_dict() | {"colour": "red"})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"statement": " ", "expected": 1}, "needs a statement"),
        ({"estimate": "one", "expected": 1}, "'one'"),
        ({"estimate": np.zeros(3), "expected": 1}, "must be a bool or a number"),
        ({"estimate": True, "expected": 1.0}, "compare a number with a number"),
        ({"estimate": 1.0, "expected": True}, "compare a bool with a bool"),
        ({"estimate": True, "expected": True, "interval": (0, 1)}, "neither tolerance nor interval"),
        ({"expected": math.nan}, "expected is NaN"),
        ({"expected": (None, None)}, "refutes nothing"),
        ({"expected": (2, 1)}, "low end is above"),
        ({"expected": (1, 2, 3)}, "a pair"),
        ({"expected": 1, "tolerance": -0.1}, "tolerance is -0.1"),
        ({"expected": 1, "tolerance": math.inf}, "tolerance is inf"),
        ({"expected": 1, "interval": (3, 1)}, "low end is above"),
        ({"expected": 1, "tolerance": 0.1}, "a tolerance of 0.1 needs its reason"),
        ({"expected": 1, "tolerance": 0.1, "reason": " "}, "a tolerance of 0.1 needs its reason"),
        ({"expected": 1, "interval": (0, 2)}, "an interval needs its reason"),
        ({"expected": (0, None), "interval": (0, 2), "reason": None}, "an interval needs its reason"),
        ({"expected": 1, "on_record": "proved"}, "'proved'"),
        ({"expected": 1, "on_record": "refuted"}, "needs its record_reason"),
    ],
)
def test_a_claim_that_says_nothing_clear_is_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        Claim(**{"statement": "x", "estimate": 1.0, **fields})
