"""fit on a CUDA device: the same training as on the CPU, but for the order in which sums are added up."""

import pytest
import torch
from fit_script import data

from tegum import parts
from tegum.learning import fit
from tegum.learning._stepping import TorchStepper
from tegum.learning.autoencoders._base import Moment

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")]
EVERY = [pytest.param(part, id=name) for name, part in parts.discover("autoencoders").items()]


def described(part):
    return part(n_features=48, n_active=4) if "n_active" in part.__dataclass_fields__ else part(n_features=48)


@pytest.mark.parametrize("part", EVERY)
def test_a_step_on_the_card_is_the_step_of_the_cpu(part):
    """In float64, where who is on does not hang on a rounding: an Adam step of lr 1e-3 differs by its roundings."""
    one, x = described(part), data()[:64].double()
    weights = one.begin(torch.nn.functional.normalize(torch.randn(48, 16, dtype=torch.float64), dim=1), x.mean(0))
    there = {name: value.cuda() for name, value in weights.items()}
    here, card = TorchStepper(one, weights), TorchStepper(one, there)
    silent = torch.arange(48) < 5
    for now, gone in ((Moment(), Moment()), (Moment(0.5, silent), Moment(0.5, silent.cuda()))):
        a, b = here.step(x, 1e-3, now), card.step(x.cuda(), 1e-3, gone)
        assert a.terms == pytest.approx(b.terms, rel=1e-10)
        for name, value in here.weights.items():
            torch.testing.assert_close(card.weights[name].cpu(), value, rtol=0, atol=1e-9)


def test_what_is_trained_on_the_card_comes_back_and_explains_as_much():
    x, one = data(), described(parts.find("autoencoders", "TopKSAE"))
    settings = {"samples": 64_000, "batch_size": 64, "progress": False}
    here, card = (fit(one, x, device=device, **settings) for device in ("cpu", "cuda"))
    assert card.weights["decoder"].device.type == "cpu"
    assert card.notes["held_out"]["explained_variance"] == pytest.approx(here.notes["held_out"]["explained_variance"], abs=0.02)
