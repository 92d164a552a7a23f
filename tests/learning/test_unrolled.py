"""Unrolled iterations are the iterations that they unroll, step for step, and networks side by side do not know of each other."""

import pytest
import torch

from tegum.decoders import Status, decode
from tegum.decoders.approximate_message_passing import AMP
from tegum.decoders.bayes_amp import BayesAMP
from tegum.decoders.fista import FISTA
from tegum.decoders.linear_probe import LinearProbe
from tegum.decoders.matched_filter import MatchedFilter
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.dictionaries.uniform_sphere import spherical
from tegum.features.exactly_k import ExactlyK
from tegum.learning import NeuralDecoder, Unrolled
from tegum.learning.unrolled import FLOOR
from tegum.theory.priors import log_odds, posterior

N, K, D = 96, 4, 40
DIRECTIONS = gaussian(N, D, seed=3, dtype=torch.float64)  # of unequal lengths
CODES = ExactlyK(n_features=N, n_active=K).sample(50, seed=1, dtype=torch.float64)
X = DIRECTIONS.encode(CODES)
KINDS = [
    (denoiser, memory, weights) for denoiser in ("soft", "posterior") for memory in (True, False) for weights in ("dictionary", "free")
]


def close(one, other, **kwargs):
    torch.testing.assert_close(one, other, **({"rtol": 1e-10, "atol": 1e-10} | kwargs))


def numbered(reader, rows, readout=(1.0, 0.0)):
    """The reader with these numbers in its hidden layers."""
    with torch.no_grad():
        reader.hidden[:] = torch.tensor(rows, dtype=reader.hidden.dtype)
        reader.readout[:] = torch.tensor(readout, dtype=reader.readout.dtype)
    return reader


def test_without_memory_and_with_thresholds_it_is_iterative_thresholding():
    rows = [(0.8, 1.2), (0.9, 1.5), (0.7, 1.1)]
    reader = numbered(Unrolled([DIRECTIONS], n_active=K, depth=4, denoiser="soft", memory=False), rows)
    table, w = DIRECTIONS.dense(), DIRECTIONS.squared_norms()
    z = torch.zeros(len(X), N, dtype=torch.float64)
    for (step, threshold), seen in zip(rows, reader.layers(X[None]), strict=False):
        v = X - z @ table
        tau = v.norm(dim=1, keepdim=True) / D**0.5
        z = (w * z + step * v @ table.T - threshold * tau * w.mean().sqrt()).clamp(min=0) / w
        close(seen[0], z)


def test_its_fixed_point_without_memory_is_the_lassos_minimiser():
    """At the penalty that its least threshold gives, where what is left of x is below the floor. Rounding of both is far below the tolerance."""
    D = spherical(24, 16, seed=0, dtype=torch.float64)
    z = ExactlyK(n_features=24, n_active=2).sample(3, seed=2, dtype=torch.float64)
    x, step, threshold = D.encode(z), 0.3, 0.1  # 1 / 0.3 is above the largest eigenvalue
    reader = numbered(Unrolled([D], n_active=2, depth=3000, denoiser="soft", memory=False), [(step, threshold)] * 2999)
    with torch.no_grad():
        *_, last, _ = reader.layers(x[None])
    for sample, found in zip(x, last[0], strict=True):
        left, tau = (sample - found @ D.dense()).norm(), (FLOOR / 16) ** 0.5 * sample.norm()
        assert left < 4 * tau
        lasso = decode(D, sample[None], FISTA(penalty=float(threshold * tau / step), tolerance=1e-12, max_steps=20_000))
        close(found, lasso.z.dense()[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_with_memory_1_and_one_threshold_it_is_amp_step_for_step(steps):
    """The decoder's own code, stopped after so many steps; what it has read by then is left out. It takes slope / d in float32: 6e-8 of a step."""
    alpha = 1.4
    out = decode(DIRECTIONS, X, AMP(alpha=alpha, max_steps=steps))
    reader = numbered(Unrolled([DIRECTIONS], n_active=K, depth=steps + 1, denoiser="soft"), [(1.0, alpha, 1.0)] * steps)
    *_, last, _ = reader.layers(X[None])
    running = out.status == Status.MAX_STEPS
    assert running.sum() > 10
    close(last[0][running], out.z.dense()[running], atol=1e-7)


def test_bayes_amp_is_the_posterior_mean_with_onsagers_term():
    """Against the theory room's posterior, whose variances give the slope by Tweedie's formula."""
    reader = Unrolled.bayes_amp([DIRECTIONS], n_active=K, depth=6)
    table, w = DIRECTIONS.dense(), DIRECTIONS.squared_norms()
    z, v = torch.zeros(len(X), N, dtype=torch.float64), X
    for seen in list(reader.layers(X[None]))[:-1]:
        tau2 = torch.maximum(v.square().sum(1), FLOOR * X.square().sum(1))[:, None] / D
        found = posterior("binary", z + v @ table.T / w, tau2 / w, log_odds=log_odds(K / N))
        z = found.mean
        close(seen[0], z, atol=1e-8)
        v = X - z @ table + (found.variance / (tau2 / w)).sum(1, keepdim=True) / D * v


def test_one_layer_of_bayes_amp_is_the_matched_filter_at_bayess_threshold():
    one = decode(DIRECTIONS, X, NeuralDecoder(reader=Unrolled.bayes_amp([DIRECTIONS], n_active=K, depth=1)))
    other = decode(DIRECTIONS, X, MatchedFilter(threshold="bayes", n_active=K))
    assert torch.equal(one.z.dense(), other.z.dense())
    assert one.z.n_active.sum() > 0


def test_many_layers_of_bayes_amp_read_what_the_decoder_reads():
    """The decoder lists only likely entries and tries what is clear as the code: other steps, the same fixed points for all but a few codes."""
    reader = Unrolled.bayes_amp([DIRECTIONS], n_active=K, depth=30)
    one = decode(DIRECTIONS, X, NeuralDecoder(reader=reader)).exact(CODES)
    other = decode(DIRECTIONS, X, BayesAMP(prior="binary", n_active=K)).exact(CODES)
    assert other.double().mean() > 0.9
    assert (one == other).double().mean() > 0.95


def test_the_inverse_table_reads_like_the_linear_probe():
    """Readings of one layer, in units of their own gain: those of the decoder with n_active features kept."""
    reader = Unrolled([DIRECTIONS], n_active=K, weights="inverse")
    W, table = reader.table[0, 0], DIRECTIONS.dense()
    close((W * table).sum(1), DIRECTIONS.squared_norms())
    readings = X @ W.T / DIRECTIONS.squared_norms()
    probe = decode(DIRECTIONS, X, LinearProbe(n_active=K)).z
    close(readings.gather(1, probe.indices.clamp(min=0))[probe.indices >= 0], probe.values[probe.indices >= 0], atol=1e-8)
    values, indices = readings.topk(K)
    assert (values > 0).all()
    assert torch.equal(indices.sort(1).values, probe.indices)


@pytest.mark.parametrize(("denoiser", "memory", "weights"), KINDS)
def test_gradients_flow_to_every_number_and_are_right(denoiser, memory, weights):
    D = gaussian(10, 6, seed=1, dtype=torch.float64)
    reader = Unrolled([D], n_active=2, depth=3, denoiser=denoiser, memory=memory, weights=weights)
    x = D.encode(ExactlyK(n_features=10, n_active=2).sample(4, dtype=torch.float64))[None]
    with torch.no_grad():
        reader.hidden += 0.1 * torch.rand(reader.hidden.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    names = [name for name, _ in reader.named_parameters()]

    def log_odds_of(*values):
        return torch.func.functional_call(reader, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(log_odds_of, tuple(p.detach().clone().requires_grad_() for p in reader.parameters()))
    reader(x).square().sum().backward()
    assert all((p.grad != 0).flatten(2).any(-1).all() if p.ndim > 2 else (p.grad != 0).all() for p in reader.parameters())


@pytest.mark.parametrize("weights", ["dictionary", "inverse", "free"])
def test_networks_side_by_side_give_what_each_gives_alone(weights):
    """Dims that a network lacks are zeros; what is left is the rounding of sums in another order."""
    tables = [gaussian(N, d, seed=d, dtype=torch.float64) for d in (12, 40, 25)]
    reader = Unrolled(tables, n_active=K, depth=3, weights=weights)
    x = torch.stack([torch.nn.functional.pad(D.encode(CODES), (0, 40 - D.n_dims)) for D in tables])
    together = reader(x)
    for place, D in enumerate(tables):
        alone = reader.some([place])
        close(alone(D.encode(CODES)[None])[0], together[place], rtol=1e-8, atol=1e-8)
        assert int(alone.n_parameters()) == int(reader.n_parameters()[place])
    pair = reader.some([2, 0])
    assert pair.n_dims.tolist() == [25, 12]
    close(pair(x[[2, 0], :, :25]), together[[2, 0]], rtol=1e-8, atol=1e-8)


def test_a_network_that_grows_goes_on_from_what_it_was():
    reader = numbered(Unrolled([DIRECTIONS], n_active=K, depth=2), [(0.7, -3.0, 0.4)], readout=(0.9, -2.0))
    before = reader(X[None])
    reader.grow(4)
    assert reader.depth == 4
    close(reader.hidden[0].detach(), torch.tensor([(0.7, -3.0, 0.4), (0.9, -2.0, 0.4), (0.9, -2.0, 0.4)], dtype=torch.float64))
    close(list(reader.layers(X[None]))[1], torch.sigmoid(before))
    with pytest.raises(ValueError, match="depth is 3; it must be an integer of at least 4"):
        reader.grow(3)


@pytest.mark.parametrize(("kind", "numbers"), [({"denoiser": "soft", "memory": False}, 2 + 2 * 3), ({}, 2 + 3 * 3)])
def test_it_counts_what_is_trained(kind, numbers):
    assert Unrolled([DIRECTIONS], n_active=K, depth=4, **kind).n_parameters().tolist() == [numbers]
    assert Unrolled([DIRECTIONS], n_active=K, depth=4, weights="free", **kind).n_parameters().tolist() == [numbers + 4 * N * D]


def test_an_empty_sample_and_a_direction_of_length_0_are_read_as_off():
    table = DIRECTIONS.dense().clone()
    table[5] = 0
    for kind in ({"denoiser": "soft"}, {"weights": "inverse"}, {"weights": "free"}):
        reader = Unrolled([Dense(table)], n_active=K, depth=4, **kind)
        x = torch.cat([torch.zeros(1, D, dtype=torch.float64), X])[None]
        found = reader(x)
        assert not found.isnan().any()
        assert (found[0, 0] < 0).all()
        assert (found[0, :, 5] < 0).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"denoiser": "hard"}, "denoiser is 'hard'; it must be one of soft, posterior"),
        ({"weights": "tied"}, "weights is 'tied'; it must be one of dictionary, inverse, free"),
        ({"depth": 0}, "depth is 0"),
        ({"n_active": N}, f"n_active is {N}"),
    ],
)
def test_kinds_and_sizes_that_are_not_there_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Unrolled([DIRECTIONS], **({"n_active": K} | settings))


def test_dictionaries_over_other_features_do_not_stand_side_by_side():
    with pytest.raises(ValueError, match="dictionaries of 2 sizes and dtypes"):
        Unrolled([DIRECTIONS, gaussian(N + 1, D, dtype=torch.float64)], n_active=K)
    with pytest.raises(ValueError, match="dictionaries of 0 sizes"):
        Unrolled([], n_active=K)
