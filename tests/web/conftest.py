"""One store with the sample experiments in it, run once, and the report of some of them."""

import pytest
from report_samples import Fragile, Hostile, Odd, Packed, Unrun

from tegum.report import build
from tegum.store import Store, run_experiments


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("runs"))
    requests = [
        (Packed(), Packed.presets["quick"], "quick"),
        (Packed(), Packed.Params(steps=7), "quick"),
        (Hostile(), Hostile.Params(), "quick"),
        (Odd(), Odd.Params(), "quick"),
        (Fragile(), Fragile.Params(), "quick"),
        (Fragile(), Fragile.Params(broken=True), "quick"),
        (Fragile(), Fragile.Params(biased=True, word="true, or so"), "quick"),
    ]
    run_experiments(requests, store, jobs=1)
    yield store
    store.close()


@pytest.fixture(scope="session")
def report(laboratory):
    return build(laboratory, laboratory.folder / "report", [Packed, Hostile, Unrun])
