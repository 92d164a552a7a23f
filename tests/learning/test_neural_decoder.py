"""A trained reader is a decoder like others, and its file gives the same network back."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from tegum.decoders import Values, decode
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features.exactly_k import ExactlyK
from tegum.learning import NeuralDecoder, Perceptron, Unrolled, load_reader, save_reader

N, K = 64, 3
TABLES = [gaussian(N, 30, seed=0), gaussian(N, 44, seed=1)]
READERS = {
    "posterior": Unrolled.bayes_amp(TABLES, n_active=K, depth=6),
    "soft, no memory": Unrolled(TABLES, n_active=K, depth=3, denoiser="soft", memory=False),
    "inverse": Unrolled(TABLES, n_active=K, depth=3, weights="inverse"),
    "free": Unrolled(TABLES, n_active=K, depth=2, weights="free"),
    "perceptron": Perceptron([30, 44], N, n_active=K, hidden=(20, 50), seed=5),
    "no hidden layer": Perceptron([30, 44], N, n_active=K),
}
every = pytest.mark.parametrize("reader", READERS.values(), ids=list(READERS))


def test_it_decodes_by_the_one_door():
    D, z = TABLES[1], ExactlyK(n_features=N, n_active=K).sample(200, seed=2)
    out = decode(D, D.encode(z), NeuralDecoder(reader=READERS["posterior"].some([1])), batch_size=64)
    assert out.exact(z).double().mean() > 0.9
    assert set(out.z.values.unique().tolist()) <= {0.0, 1.0}
    assert (out.steps == 6).all()
    assert out.residual[out.exact(z)].max() < 1e-5


@every
def test_it_reads_the_features_whose_log_odds_are_above_0(reader):
    D = TABLES[0]
    x = 0.3 * torch.randn(17, 30, generator=torch.Generator().manual_seed(0))
    alone = reader.some([0])
    out = decode(D, x, NeuralDecoder(reader=alone))
    assert torch.equal(out.z.dense() > 0, alone(x[None])[0] > 0)


def test_it_reads_in_its_own_dtype_and_answers_in_that_of_x():
    D = gaussian(N, 30, seed=0, dtype=torch.float64)
    z = ExactlyK(n_features=N, n_active=K).sample(20, dtype=torch.float64)
    assert decode(D, D.encode(z), NeuralDecoder(reader=READERS["posterior"].some([0]))).z.values.dtype == torch.float64


@every
def test_its_file_gives_the_same_network_back(reader, tmp_path):
    save_reader(reader, tmp_path / "reader.safetensors")
    back = load_reader(tmp_path / "reader.safetensors")
    assert type(back) is type(reader)
    assert back.settings == reader.settings
    x = torch.randn(2, 5, 44, generator=torch.Generator().manual_seed(1))
    x[0, :, 30:] = 0
    torch.testing.assert_close(back(x), reader(x), rtol=1e-5, atol=1e-4)  # the inverse is made anew: rounding
    assert [file.name for file in tmp_path.iterdir()] == ["reader.safetensors"]


def test_its_file_is_safetensors_and_nothing_else(tmp_path):
    path = tmp_path / "reader.safetensors"
    save_reader(READERS["free"], path)
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    facts = json.loads(header.pop("__metadata__")["tegum"])
    assert facts == {"format": "tegum reader 1", "kind": "Unrolled", "n_dims": [30, 44], "settings": READERS["free"].settings}
    assert {entry["dtype"] for entry in header.values()} == {"F32", "I64"}


def test_a_file_that_is_no_reader_is_refused(tmp_path):
    from safetensors.numpy import save_file

    with pytest.raises(FileNotFoundError):
        load_reader(tmp_path / "nowhere")
    (tmp_path / "text").write_text("no tensors here")
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        load_reader(tmp_path / "text")
    save_file({"a": np.zeros(3)}, tmp_path / "other")
    with pytest.raises(ValueError, match="holds no reader"):
        load_reader(tmp_path / "other")
    facts = {"format": "tegum reader 1", "kind": "Perceptron", "n_dims": [30], "settings": {"n_features": 5, "n_active": 1, "hidden": []}}
    save_file({"weights.0": np.zeros((1, 2, 3), dtype=np.float32)}, tmp_path / "wrong", metadata={"tegum": json.dumps(facts)})
    with pytest.raises(ValueError, match="a reader that can not be read"):
        load_reader(tmp_path / "wrong")


def test_a_dictionary_of_another_size_and_several_networks_are_refused():
    decoder = NeuralDecoder(reader=READERS["posterior"].some([0]))
    with pytest.raises(ValueError, match="made for 64 features in 30 dims; the dictionary has 64 in 44"):
        decode(TABLES[1], torch.zeros(1, 44), decoder)
    with pytest.raises(ValueError, match=r"reader holds 2 networks; reader.some\(\[0\]\) is the first"):
        NeuralDecoder(reader=READERS["posterior"])
    with pytest.raises((ValueError, TypeError), match="Reader"):  # the latter where shapes and types are checked at run time
        NeuralDecoder(reader=nn.Linear(2, 2))
    with pytest.raises(ValueError, match="NeuralDecoder returns binary codes"):
        NeuralDecoder(reader=READERS["posterior"].some([0]), values=Values.SIGNED)


def test_a_perceptron_is_layers_of_weights_and_rectifiers():
    reader = READERS["perceptron"].some([1])
    layers = []
    for weights, bias in zip(reader.weights, reader.biases, strict=True):
        linear = nn.Linear(weights.shape[2], weights.shape[1])
        linear.weight.data, linear.bias.data = weights.data[0], bias.data[0, 0] + 0.1
        bias.data += 0.1
        layers += [linear, nn.ReLU()]
    plain = nn.Sequential(*layers[:-1])
    x = torch.randn(7, 44, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(reader(x[None])[0], plain(x), rtol=1e-5, atol=1e-5)
    assert int(reader.n_parameters()) == sum(p.numel() for p in plain.parameters())
    assert READERS["perceptron"].n_parameters().tolist() == [
        20 * 30 + 20 + 50 * 20 + 50 + 64 * 50 + 64,
        20 * 44 + 20 + 50 * 20 + 50 + 64 * 50 + 64,
    ]


def test_a_perceptron_begins_at_the_density_and_with_hidden_values_of_unit_size():
    """x is a sum of K unit directions: by 200 x 400 values the mean square is within 5% of He's, 2, but for the dictionary's lengths."""
    D = gaussian(N, 60, seed=2)
    x = D.encode(ExactlyK(n_features=N, n_active=K).sample(200))
    reader = Perceptron([60], N, n_active=K, hidden=(400,))
    assert (x @ reader.weights[0][0].T).square().mean().item() == pytest.approx(2, rel=0.15)
    assert torch.sigmoid(reader(x[None])).mean().item() == pytest.approx(K / N, rel=0.2)


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"hidden": (0,)}, "hidden is 0"), ({"n_active": N}, "n_active"), ({"seed": -1}, "seed"), ({"n_dims": []}, "instances is 0")],
)
def test_a_perceptron_of_no_size_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        Perceptron(**({"n_dims": [10], "n_features": N, "n_active": K} | changed))
