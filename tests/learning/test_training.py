"""Training finds what theory says is best, depends on the seed and the network alone, and counts what `decode` would."""

import pytest
import torch

from tegum.decoders import decode
from tegum.dictionaries.uniform_sphere import spherical
from tegum.draws import EVALUATION_STEP
from tegum.features.bernoulli import Bernoulli
from tegum.features.exactly_k import ExactlyK
from tegum.learning import NeuralDecoder, Perceptron, Unrolled, count_right, train_reader
from tegum.learning.reader import stacked

N, K = 64, 3
FEATURES = ExactlyK(n_features=N, n_active=K)


def tables(*dims):
    return [spherical(N, d, seed=d) for d in dims]


def test_training_brings_the_memory_from_nothing_to_onsagers_coefficient():
    """Four seeds of dictionaries a side; their mean scatters by less than .1 from seed to seed, so .5 to 1.5 is five standard errors either way."""
    dictionaries = [spherical(N, 16, seed=seed) for seed in range(8)]
    directions, _ = stacked(dictionaries)
    reader = Unrolled(dictionaries, n_active=K, depth=4)
    assert (reader.hidden[..., 2] == 0).all()
    losses = train_reader(reader, FEATURES, directions, steps=100)
    assert 0.5 < reader.hidden[..., 2].mean() < 1.5
    assert (losses[-10:].mean(0) < losses[:10].mean(0) / 2).all()


def test_what_is_trained_reads_more_than_what_is_not_and_less_than_more_layers():
    """1,500 codes: one count has a standard error of 20, and the differences are above 100."""
    dictionaries = tables(20)
    directions, _ = stacked(dictionaries)
    found = []
    for depth in (1, 2, 4):
        reader = Unrolled(dictionaries, n_active=K, depth=depth)
        train_reader(reader, FEATURES, directions, steps=60)
        found.append(int(count_right(reader, FEATURES, directions, 1500)))
    assert found[0] + 100 < found[1] < found[2] - 100


def test_a_second_layer_of_thresholds_is_not_lost_where_dims_are_few():
    """From a threshold of 1.5 its loss was 40 nats a code, that of reading nothing; one layer alone has 27."""
    dictionaries = [spherical(512, 32, seed=0)]
    directions, _ = stacked(dictionaries)
    features, losses = ExactlyK(n_features=512, n_active=8), []
    reader = Unrolled(dictionaries, n_active=8, denoiser="soft")
    for depth in (1, 2):
        reader.grow(depth)
        losses.append(train_reader(reader, features, directions, steps=200, first_step=200 * depth)[-20:].mean())
    assert losses[1] < losses[0]


def test_a_perceptron_learns():
    directions, n_dims = stacked(tables(30, 40))
    reader = Perceptron(n_dims.tolist(), N, n_active=K, hidden=(64,))
    before = count_right(reader, FEATURES, directions, 500)
    losses = train_reader(reader, FEATURES, directions, steps=300)
    assert (losses[-10:].mean(0) < 0.2 * losses[:10].mean(0)).all()
    assert (count_right(reader, FEATURES, directions, 500) > before + 100).all()


@pytest.mark.parametrize("kind", ["unrolled", "perceptron"])
def test_a_network_trains_alike_in_any_company(kind):
    """In float32, over 5 steps: sums over padded dims differ in their last digits, and Adam's first steps have the size of the rate."""

    def trained(*dims):
        here = tables(*dims)
        directions, _ = stacked(here)
        reader = Unrolled(here, n_active=K, depth=2) if kind == "unrolled" else Perceptron(dims, N, n_active=K, hidden=(32,))
        return train_reader(reader, FEATURES, directions, steps=5)

    torch.testing.assert_close(trained(20, 30)[:, 0], trained(20)[:, 0], rtol=1e-3, atol=1e-3)


def test_the_same_seed_gives_the_same_training_and_another_one_another():
    directions, _ = stacked(tables(20))
    runs = [train_reader(Unrolled(tables(20), n_active=K), FEATURES, directions, steps=3, seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_a_training_that_goes_on_sees_new_codes():
    directions, _ = stacked(tables(20))
    still = Unrolled(tables(20), n_active=K)
    first = train_reader(still, FEATURES, directions, steps=1, rate=0.0)
    again = train_reader(still, FEATURES, directions, steps=1, rate=0.0)
    later = train_reader(still, FEATURES, directions, steps=1, rate=0.0, first_step=1)
    assert torch.equal(first, again)
    assert not torch.equal(first, later)


def test_it_counts_what_decode_reads_right():
    here = tables(16, 24)
    directions, _ = stacked(here)
    reader = Unrolled.bayes_amp(here, n_active=K, depth=5)
    counted = count_right(reader, FEATURES, directions, 300, seed=4)
    for place, D in enumerate(here):
        z = FEATURES.sample(300, seed=4, instance=place, step=EVALUATION_STEP)
        out = decode(D, D.encode(z), NeuralDecoder(reader=reader.some([place])))
        assert abs(int(out.exact(z).sum()) - int(counted[place])) <= 1  # one on the edge, by rounding of sums over padded dims


def test_threads_stay_as_they_were():
    before = torch.get_num_threads()
    train_reader(Unrolled(tables(20), n_active=K), FEATURES, stacked(tables(20))[0], steps=1)
    assert torch.get_num_threads() == before


def test_what_does_not_go_together_is_refused():
    reader, directions = Unrolled(tables(20), n_active=K), stacked(tables(20))[0]
    for features, table, message in (
        (Bernoulli(n_features=N, density=0.1), directions, "values is 'uniform'"),
        (FEATURES, directions[:, :, :10], "takes directions of shape"),
        (ExactlyK(n_features=N + 1, n_active=K), directions, f"codes {N + 1} features"),
    ):
        with pytest.raises(ValueError, match=message):
            train_reader(reader, features, table, steps=1)
        with pytest.raises(ValueError, match=message):
            count_right(reader, features, table, 10)
    with pytest.raises(ValueError, match="steps is 0"):
        train_reader(reader, FEATURES, directions, steps=0)
