"""Sparse coding finds the directions that made the data, its two steps are what they say, and polish mends what an autoencoder found."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tegum
from tegum.activations import load
from tegum.decoders import FISTA, OMP, CoordinateDescent, MatchingPursuit
from tegum.features import SparseCodes
from tegum.learning import LearntDictionary, TopKSAE, fit, load_dictionary, measure, metrics, polish, sparse_coding
from tegum.learning._coding_run import _unused_or_double, _Worst
from tegum.learning._directions import Sums

N, DIMS, ACTIVE = 64, 32, 4
TRUE = tegum.dictionaries.spherical(n_features=N, n_dims=DIMS, seed=0)
X = TRUE.encode(tegum.features.ExactlyK(n_features=N, n_active=ACTIVE, values="uniform").sample(8192, seed=1))
CODER = OMP(n_active=ACTIVE)


def mcc(learnt):
    return metrics.matched_directions(TRUE.dense(), learnt.dictionary.dense()).mean


@pytest.fixture(scope="module")
def learnt():
    return sparse_coding(X, N, CODER, passes=10, batch_size=512)


@pytest.mark.parametrize(("way", "passes", "seed"), [("online", 10, 0), ("online", 10, 1), ("mod", 20, 0)])
def test_both_ways_recover_the_directions(way, passes, seed):
    """Measured: 1.000, .981, .996. Random directions reach .38."""
    found = sparse_coding(X, N, CODER, directions=way, passes=passes, batch_size=512, seed=seed)
    assert mcc(found) > 0.95
    assert found.notes["held_out"]["explained_variance"] > 0.95


def test_the_lasso_recovers_them_too():
    z = tegum.features.Bernoulli(n_features=N, density=ACTIVE / N).sample(4096, seed=2)
    found = sparse_coding(TRUE.encode(z), N, FISTA(penalty=0.05, tolerance=1e-3), passes=5, batch_size=512)
    assert mcc(found) > 0.9
    objectives = [told["objective"] for told in found.history]
    assert objectives[-1] < objectives[1] < objectives[0]


def test_what_comes_back_is_at_length_one_and_reads_what_it_wrote(learnt, tmp_path):
    D = learnt.dictionary.dense()
    torch.testing.assert_close(D.norm(dim=1), torch.ones(N))
    z = learnt.encode(X[:50])
    assert isinstance(z, SparseCodes)
    assert int(z.n_active.max()) <= ACTIVE
    torch.testing.assert_close(learnt(X[:50]), z.dense() @ D + learnt.centre)
    learnt.save(tmp_path / "learnt.safetensors")
    again = load_dictionary(tmp_path / "learnt.safetensors")
    assert again.dictionary.dense().equal(D)
    assert again.centre.equal(learnt.centre)
    assert (again.decoder, again.history, again.notes) == (learnt.decoder, learnt.history, learnt.notes)


def test_history_tells_of_every_pass_and_held_out_rows_of_the_end(learnt):
    frame = learnt.to_dataframe()
    assert frame["pass"].tolist() == list(range(1, 11))
    assert frame["explained_variance"].iloc[-1] > frame["explained_variance"].iloc[0]
    assert frame["l0"].max() <= ACTIVE
    told = learnt.notes["held_out"]
    held = load(X).split(0.05, 0)[1]
    assert told["rows"] == len(held)
    assert told["explained_variance"] == pytest.approx(metrics.explained_variance(held.read(), learnt(held.read())), abs=1e-6)
    assert told["firing_rates"] == pytest.approx(metrics.firing_rates(learnt.encode(held.read())).tolist())


def test_it_becomes_an_autoencoder_that_pursues_as_well(learnt):
    sae = learnt.as_autoencoder()
    assert sae.architecture.n_active == ACTIVE
    assert sae.dictionary.dense().equal(learnt.dictionary.dense())
    plain = tegum.decode(learnt.dictionary, X[:100] - learnt.centre, MatchingPursuit(n_active=None, steps=ACTIVE)).z
    torch.testing.assert_close(sae.encode(X[:100]), plain.dense(), atol=1e-5, rtol=1e-4)
    assert measure(sae, load(X[:1000]))["explained_variance"] > 0.9
    signed = LearntDictionary(learnt.dictionary, learnt.centre, OMP(n_active=2, values="signed"))
    with pytest.raises(ValueError, match="signed"):
        signed.as_autoencoder()
    with pytest.raises(ValueError, match="give n_active"):
        LearntDictionary(learnt.dictionary, learnt.centre, OMP()).as_autoencoder()


def test_polish_mends_a_perturbed_dictionary():
    noise = torch.randn(N, DIMS, generator=torch.Generator().manual_seed(0)) / DIMS**0.5
    start = tegum.dictionaries.Dense(TRUE.dense() + 0.7 * noise)
    before = metrics.matched_directions(TRUE.dense(), start.dense()).mean
    for given_start in (start, start.dense()):
        after = mcc(polish(given_start, X, CODER, passes=3, batch_size=512))
        assert before < 0.85 < 0.97 < after


def test_polish_takes_an_autoencoder_from_nine_tenths_to_nearly_all():
    """Measured: .910 before, 1.000 after by either way."""
    sae = fit(TopKSAE(n_features=N, n_active=ACTIVE), X, samples=200_000, progress=False)
    polished = polish(sae, X, CODER, passes=10, batch_size=512)
    assert metrics.matched_directions(TRUE.dense(), sae.dictionary.dense()).mean < 0.95
    assert mcc(polished) > 0.97
    assert polished.notes["held_out"]["explained_variance"] > sae.notes["held_out"]["explained_variance"]
    assert mcc(polish(polished, X, CODER, passes=1)) > 0.97


@given(seed=st.integers(0, 10**6), rows=st.integers(1, 60), n=st.integers(1, 12), d=st.integers(1, 8), centred=st.booleans())
def test_sums_are_those_of_dense_codes(seed, rows, n, d, centred):
    rng = np.random.default_rng(seed)
    dense = torch.from_numpy(rng.normal(size=(rows, n)) * (rng.random((rows, n)) < 0.3))
    x = torch.from_numpy(rng.normal(size=(rows, d)))
    sums = Sums.none(n, d, centred=centred)
    for part in (slice(0, rows // 2), slice(rows // 2, rows)):
        sums.add(SparseCodes.from_dense(dense[part]), x[part])
    z = torch.cat([dense, torch.ones(rows, 1)], 1) if centred else dense
    torch.testing.assert_close(sums.A, z.T @ z)
    torch.testing.assert_close(sums.B, z.T @ x)


def test_few_and_many_codes_a_sample_add_up_alike():
    x = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    z = tegum.features.ExactlyK(n_features=200, n_active=3, values="gaussian").sample(50, seed=0)
    few, many = Sums.none(200, 8, centred=False), Sums.none(200, 8, centred=False)
    few.add(z, x)
    padded = torch.nn.functional.pad
    many.add(SparseCodes(padded(z.indices, (0, 150), value=-1), padded(z.values, (0, 150)), 200), x)
    torch.testing.assert_close(few.A, many.A)
    assert torch.equal(few.B, many.B)


def test_the_step_of_mod_is_the_least_squares_solution():
    rng = np.random.default_rng(0)
    z, x = np.maximum(rng.normal(size=(300, 20)), 0), rng.normal(size=(300, 7)) + 3
    z[:, 4] = 0  # a code that is never on
    D, centre = torch.from_numpy(rng.normal(size=(20, 7))), torch.zeros(7, dtype=torch.float64)
    for centred in (False, True):
        sums = Sums.none(20, 7, centred=centred)
        sums.add(SparseCodes.from_dense(z), torch.from_numpy(x))
        found, middle = sums.least_squares(D, centre)
        best = np.linalg.lstsq(np.c_[z, np.ones(300)] if centred else z, x, rcond=None)[0]
        used = np.arange(20) != 4
        np.testing.assert_allclose(found.numpy()[used], best[:20][used], atol=1e-6)
        assert found[4].equal(D[4])
        np.testing.assert_allclose(middle.numpy(), best[20] if centred else np.zeros(7), atol=1e-6)


def surrogate(sums, D, centre):
    """Mairal et al. 2010, eq. 9, but for what does not depend on the directions."""
    whole = torch.cat([D, centre[None]]) if sums.centred else D
    return float(0.5 * torch.trace(whole.T @ sums.A @ whole) - torch.trace(whole.T @ sums.B))


@given(seed=st.integers(0, 10**6), n=st.integers(1, 300), d=st.integers(1, 10), centred=st.booleans())
def test_a_sweep_of_coordinate_descent_never_raises_the_objective_and_keeps_unit_length(seed, n, d, centred):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(40, n, generator=generator, dtype=torch.float64) * (torch.rand(40, n, generator=generator) < 0.2)
    x, centre = torch.randn(40, d, generator=generator, dtype=torch.float64) + 1, torch.zeros(d, dtype=torch.float64)
    D = torch.nn.functional.normalize(torch.randn(n, d, generator=generator, dtype=torch.float64), dim=1)
    sums = Sums.none(n, d, centred=centred)
    sums.add(SparseCodes.from_dense(z), x)
    before = surrogate(sums, D, centre)
    for _ in range(3):
        D, centre = sums.descend(D, centre)
        after = surrogate(sums, D, centre)
        assert after <= before + 1e-9 * (1 + abs(before))
        before = after
    torch.testing.assert_close(D.norm(dim=1), torch.ones(n, dtype=torch.float64))
    assert sums.none(n, d, centred=False).descend(D, centre)[0].equal(D)


def test_a_sweep_is_that_of_scikit_learn_where_no_direction_is_shortened():
    """It keeps directions that are shorter than 1; the data here are twice as long as unit directions give, so that none is."""
    from sklearn.decomposition._dict_learning import _update_dict

    rng = np.random.default_rng(0)
    z = np.maximum(rng.normal(size=(2000, 200)) - 1, 0)
    D = rng.normal(size=(200, 16))
    x = 5 * z @ D
    D = D + 0.1 * rng.normal(size=D.shape)
    D /= np.linalg.norm(D, axis=1, keepdims=True)
    sums = Sums.none(200, 16, centred=False)
    sums.add(SparseCodes.from_dense(z), torch.from_numpy(x))
    theirs = D.copy()
    _update_dict(theirs, x, z, A=z.T @ z, B=x.T @ z)
    np.testing.assert_allclose(np.linalg.norm(theirs, axis=1), 1)
    np.testing.assert_allclose(sums.descend(torch.from_numpy(D), torch.zeros(16, dtype=torch.float64))[0].numpy(), theirs, atol=1e-10)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # of the peer's lasso, which is told no tolerance
def test_the_objective_is_as_low_as_that_of_scikit_learn_at_the_same_penalty():
    """Measured after 6 passes: .181 a row, theirs .193."""
    from sklearn.decomposition import MiniBatchDictionaryLearning

    penalty, rows = 0.1, X[:3000]
    ours = sparse_coding(rows, N, FISTA(penalty=penalty, tolerance=1e-3), passes=6, batch_size=256, centre="none", held_out=0.0)
    peer = MiniBatchDictionaryLearning(
        n_components=N, alpha=penalty, max_iter=6, batch_size=256, fit_algorithm="cd", positive_code=True, random_state=0, tol=0.0,
        max_no_improvement=None,
    ).fit(rows.double().numpy())  # fmt: skip
    theirs = torch.nn.functional.normalize(torch.from_numpy(peer.components_), dim=1).float()

    def objective(D):
        out = tegum.decode(tegum.dictionaries.Dense(D), rows, CoordinateDescent(penalty=penalty, tolerance=1e-4))
        return float((out.residual.square() / 2 + penalty * out.z.values.abs().sum(1)).mean())

    assert objective(ours.dictionary.dense()) < 1.02 * objective(theirs)


def test_features_that_no_code_uses_and_doubles_begin_anew():
    D = torch.eye(4)[[0, 1, 1, 2, 3]]
    assert _unused_or_double(D, torch.tensor([5, 3, 9, 0, 1]), 0.99).tolist() == [1, 3]
    assert _unused_or_double(D, torch.tensor([5, 3, 9, 2, 1]), 1.0).tolist() == []
    start = TRUE.dense().clone()
    start[:8] = -start[8:16]  # all but opposite to what x is made of: hardly ever on
    start[20] = start[21]
    found = polish(start, X, CODER, passes=10, batch_size=512)
    assert found.notes["replaced"] >= 1
    assert mcc(found) > 0.95


def test_worst_rows_are_drawn_by_their_squared_error():
    """20,000 draws of one of four: the standard error of a share is at most .0036, four of them are allowed."""
    lengths = torch.tensor([1.0, 2.0, 3.0, 0.0])
    first = torch.zeros(4)
    for step in range(2000):
        worst = _Worst.none(1, 4)
        worst.add(torch.diag(lengths), seed=0, step=step)
        first += worst.directions[0]
    torch.testing.assert_close(first / 2000, torch.tensor([1.0, 4.0, 9.0, 0.0]) / 14, atol=0.045, rtol=0)


def test_the_centre_is_fitted_taken_as_the_mean_or_left_out():
    far = X + 5
    fitted, mean, none = (
        sparse_coding(far, N, CODER, centre=centre, passes=3, batch_size=512, held_out=0.0) for centre in ("fitted", "mean", "none")
    )
    torch.testing.assert_close(mean.centre, far.mean(0), atol=1e-5, rtol=0)
    assert not none.centre.any()
    assert abs(float(fitted.centre.mean()) - 5) < 0.2
    last = [one.history[-1]["explained_variance"] for one in (fitted, mean, none)]
    assert last[2] < min(last[0], last[1])


@pytest.mark.parametrize("way", ["online", "mod"])
def test_the_same_call_gives_the_same_and_goes_on_where_it_was_stopped(way, tmp_path):
    def go(out=None, on_report=None, **more):
        return sparse_coding(
            X[:3000], N, CODER, directions=way, passes=3, batch_size=256, out=out, save_every=0.0, on_report=on_report, **more
        )

    def stop(told):
        if told["pass"] == 2:
            raise KeyboardInterrupt

    whole, folder = go(), tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        go(folder, stop)
    assert not (folder / "dictionary.safetensors").exists()
    resumed = go(folder)
    assert resumed.dictionary.dense().equal(whole.dictionary.dense())
    assert resumed.history == whole.history
    assert go(folder).dictionary.dense().equal(whole.dictionary.dense())
    with pytest.raises(ValueError, match="holds another"):
        go(folder, seed=1)


def test_rows_that_do_not_vary_have_no_explained_variance_and_end_no_run():
    found = sparse_coding(X[:1].repeat(8, 1), 8, CODER, passes=2, batch_size=2, held_out=0.0)
    assert len(found.history) == 2
    assert not any("explained_variance" in told for told in found.history)


def test_the_bar_tells_of_rows(capsys):
    sparse_coding(X[:600], 8, CODER, passes=1, batch_size=256, progress=True)
    assert "sparse coding" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: sparse_coding(X, 0, CODER), "n_features is 0"),
        (lambda: sparse_coding(X, 2, CODER), "n_active is 4 but there are 2 features"),
        (lambda: sparse_coding(X, N, CODER, directions="ksvd"), "directions is 'ksvd'; it must be one of online, mod"),
        (lambda: sparse_coding(X, N, CODER, centre="zero"), "centre is 'zero'"),
        (lambda: sparse_coding(X, N, CODER, passes=0), "passes is 0"),
        (lambda: sparse_coding(X, N, CODER, forgetting=-1.0), "forgetting is -1.0"),
        (lambda: sparse_coding(X, N, CODER, alike=1.5), "alike is 1.5"),
        (lambda: sparse_coding(X, N, CODER, seed=-1), "seed is -1"),
        (lambda: sparse_coding(X[:50], N, CODER, held_out=0.0), "50 rows to begin 64 directions at"),
        (lambda: sparse_coding(X[:500], N, CODER, held_out=0.0), "500 rows to learn from .* not one batch of 1,024"),
        (lambda: sparse_coding(X[0], N, CODER), r"shape \(32,\)"),
        (lambda: polish(torch.eye(30), X, CODER), "the start has 30 dims but the activations have 32"),
        (lambda: polish(torch.zeros(3), X, CODER), r"start is a tensor of shape \(3,\)"),
        (lambda: polish(torch.full((5, 32), torch.nan), X, CODER), "finite directions"),
    ],
)
def test_bad_input_is_one_clear_error(wrong, said):
    with pytest.raises(ValueError, match=said):
        wrong()


def test_a_file_that_holds_something_else_is_refused(tmp_path, learnt):
    learnt.as_autoencoder().save(tmp_path / "sae.safetensors")
    with pytest.raises(ValueError, match="holds no dictionary that sparse coding saved"):
        load_dictionary(tmp_path / "sae.safetensors")
    with pytest.raises(ValueError, match=r"shape \(3, 5\); the dictionary takes \(samples, 32\)"):
        learnt.encode(torch.zeros(3, 5))
    with pytest.raises(ValueError, match="float64"):
        learnt.encode(torch.zeros(3, DIMS, dtype=torch.float64))
    with pytest.raises(ValueError, match="of 5 dims"):
        learnt.measure(load(torch.zeros(3, 5)))
