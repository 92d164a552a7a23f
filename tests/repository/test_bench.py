"""The bench: contests are timed in turn, and the ratio is that of rounds, not of minutes."""

import json

from bench.interleave import Side, interleave


def test_sides_are_timed_in_turn_after_one_run_each_that_is_not_counted():
    order = []
    result = interleave(
        "x", "nothing", Side("a", lambda: order.append("a")), Side("b", lambda: order.append("b")), limit=("nothing", 0.5), rounds=3
    )
    assert order == ["a", "b"] * 4
    assert [len(side) for side in result.seconds] == [3, 3]


def test_the_ratio_is_the_median_of_rounds_and_is_saved_with_the_machine(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("bench.interleave.time.perf_counter", lambda: clock[0])
    naps = {"a": iter([9.0, 1.0, 10.0, 1.0]), "b": iter([9.0, 2.0, 30.0, 8.0])}  # the machine was slow in the second round

    def side(label):
        return Side(label, lambda: clock.__setitem__(0, clock[0] + next(naps[label])))

    result = interleave("naps", "sleeping", side("a"), side("b"), limit=("nothing", 0.5), rounds=3)
    assert result.ratios == (2.0, 3.0, 8.0)
    assert "a is 3.00 times as fast (rounds from 2.00 to 8.00)" in str(result)
    assert "limit: 500 ms (nothing); a takes 2 times that" in str(result)
    file = result.save(tmp_path)
    assert file.name.endswith("-naps.json")
    saved = json.loads(file.read_text())
    assert saved["ratio"] == {"median": 3.0, "min": 2.0, "max": 8.0}
    assert "torch" in saved["machine"]
