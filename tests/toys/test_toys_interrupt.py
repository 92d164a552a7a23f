"""Ctrl-C ends training early and returns what there is; progress is drawn on stderr and nowhere else."""

import io
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

import tegum
from tegum.features.bernoulli import Bernoulli
from tegum.toys.engines import compiled, reference
from tegum.toys.engines._interrupt import held_interrupt
from tegum.toys.losses.squared_error import SquaredError
from tegum.toys.models.relu_output import ReLUOutput

MODEL, FEATURES = ReLUOutput(n_features=4, n_hidden=2), Bernoulli(n_features=4, density=0.3)
ASKED = {"instances": 3, "batch_size": 32, "lr": 0.01, "progress": False}


def interrupted_at(step):
    """A loss during whose pass of that step somebody presses Ctrl-C; the passes after it go well."""
    passes = iter(range(10**6))

    class Interrupted(SquaredError):
        def per_sample(self, output, x, importance):
            loss = SquaredError().per_sample(output, x, importance)
            if next(passes) == step:
                loss.register_hook(press)
            return loss

    def press(_):
        raise KeyboardInterrupt

    return Interrupted()


def test_ctrl_c_returns_the_training_so_far_with_its_loss():
    run = tegum.train(MODEL, FEATURES, loss=interrupted_at(20), steps=1000, record=[0, 10, 20, 500], **ASKED)
    assert run.steps_done == 20
    shorter = tegum.train(MODEL, FEATURES, steps=20, engine="reference", **ASKED)
    assert run.W.equal(shorter.W)
    assert run.loss.equal(shorter.loss)
    assert run.history.steps.tolist() == [0, 10, 20]  # the step that was interrupted stood in the record already
    assert "20 steps in" in repr(run)


def test_ctrl_c_before_the_first_step_returns_the_networks_as_drawn():
    run = tegum.train(MODEL, FEATURES, loss=interrupted_at(0), steps=1000, **ASKED)
    assert run.steps_done == 0
    assert run.W.equal(MODEL.build(3).directions)


def test_ctrl_c_while_the_exact_loss_is_summed_leaves_it_to_the_common_samples(monkeypatch):
    def press(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["tegum.toys.evaluate"].theory, "expected_loss", press)
    run = tegum.train(MODEL, FEATURES, steps=5, **ASKED)
    assert run.loss_kind == "mean over 32,768 common samples"
    monkeypatch.undo()
    exact = tegum.train(MODEL, FEATURES, steps=5, **ASKED)
    assert exact.loss_kind == "exact expected loss"
    # 5 standard errors, 3 networks: a false alarm once in 500,000 runs
    assert ((run.loss - exact.loss).abs() <= 5 * run.loss_se).all()


def test_ctrl_c_just_after_the_weights_moved_waits_until_the_step_is_counted(monkeypatch):
    class Pressed(torch.optim.AdamW):
        def step(self, closure=None):
            super().step(closure)
            pressed.append(len(pressed))
            if len(pressed) == 7:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)  # Python sees the signal here, before the engine counts

    pressed = []
    monkeypatch.setitem(reference.OPTIMIZERS, "adamw", Pressed)
    run = tegum.train(MODEL, FEATURES, steps=1000, engine="reference", **ASKED)
    monkeypatch.undo()
    assert run.steps_done == len(pressed) == 7
    assert run.W.equal(tegum.train(MODEL, FEATURES, steps=7, engine="reference", **ASKED).W)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_while_the_compiled_engine_is_in_a_round_waits_until_all_networks_have_finished_it(monkeypatch, times):
    def train_some(first, last, start, end, *rest):
        rounds.append((start, end))
        if first == 0 and start >= 20 and len(pressed) < times:
            for _ in range(times):
                pressed.append(end)
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.05)  # the main thread takes it here, while it waits for the round
        real(first, last, start, end, *rest)

    rounds, pressed, real = [], [], compiled.train_some
    monkeypatch.setattr(compiled, "train_some", train_some)
    run = tegum.train(MODEL, FEATURES, steps=10**6, record=[0, 10, 10**6], engine="compiled", **ASKED)
    monkeypatch.undo()
    assert len(pressed) == times
    assert run.steps_done == pressed[0] == max(end for _, end in rounds) < 10**6
    shorter = tegum.train(MODEL, FEATURES, steps=run.steps_done, engine="compiled", **ASKED)
    assert run.W.equal(shorter.W)
    assert run.history.steps.tolist() == [0, 10, run.steps_done]
    assert run.history.W[-1].equal(run.W)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_twice_before_the_compiled_engine_has_begun_a_round_does_not_count_it(monkeypatch):
    def constant(done):
        steps.append(done)
        if len(steps) == 20:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)
        return 1.0

    steps = []
    monkeypatch.setitem(reference.SCHEDULES, "constant", constant)
    run = tegum.train(MODEL, FEATURES, steps=1000, engine="compiled", **ASKED)
    monkeypatch.undo()
    assert 0 < run.steps_done < 1000
    assert run.W.equal(tegum.train(MODEL, FEATURES, steps=run.steps_done, engine="compiled", **ASKED).W)


def test_ctrl_c_twice_does_not_wait():
    def press():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)

    with held_interrupt() as interrupted:
        assert not interrupted()
        press()
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            press()


def test_a_handler_of_somebody_else_is_left_alone():
    mine = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held_interrupt() as interrupted:
            os.kill(os.getpid(), signal.SIGINT)
            assert not interrupted()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, mine)


SCRIPT = """
import sys
import tegum
from tegum.toys.engines import compiled, reference

def draw(x, plan, step, real=reference.draw_batch):
    if step == 30:
        print("at work", flush=True)
    real(x, plan, step)

def train_some(first, last, start, end, *rest, real=compiled.train_some):
    real(first, last, start, end, *rest)
    if start < 30 <= end:
        print("at work", flush=True)

reference.draw_batch, compiled.train_some = draw, train_some
model, features = tegum.toys.ReLUOutput(n_features=4, n_hidden=2), tegum.features.Bernoulli(n_features=4, density=.3)
run = tegum.train(model, features, steps=10**9, batch_size=32, engine=sys.argv[1])
run.save(sys.argv[2])
"""


# The reference in float32, some dozens of steps: a thread more or less changes the order of sums, and a step is 1e-3
@pytest.mark.parametrize(("engine", "bound"), [("reference", 1e-4), ("compiled", 0)])
def test_a_real_process_takes_ctrl_c_and_goes_on_with_what_is_trained(tmp_path, engine, bound):
    path, asked = tmp_path / "toy.safetensors", {"batch_size": 32, "engine": engine, "progress": False}
    tegum.train(MODEL, FEATURES, steps=1, **asked)  # compiled by now
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, engine, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout.readline() == "at work\n"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (0, "", "")
    run = tegum.load(path)
    assert 30 <= run.steps_done < 10**9
    shorter = tegum.train(MODEL, FEATURES, steps=run.steps_done, **asked)
    torch.testing.assert_close(run.W, shorter.W, rtol=0, atol=bound)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("progress", "terminal", "drawn"),
    [(True, True, True), (None, True, True), (False, True, False), (True, False, True), (None, False, False)],
)
def test_progress_is_drawn_on_stderr_when_asked_or_on_a_terminal(monkeypatch, capfd, progress, terminal, drawn):
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    tegum.train(MODEL, FEATURES, steps=40, **ASKED | {"progress": progress})
    assert capfd.readouterr() == ("", "")
    assert ("training" in stream.getvalue()) == drawn
    assert ("40/40" in stream.getvalue()) == drawn
    assert ("\x1b" in stream.getvalue()) == (drawn and terminal)
