"""Experiments that the store's tests run in worker processes: importable, no torch, cells of some milliseconds."""

import os
import time
from pathlib import Path

import numpy as np
from pydantic import NonNegativeFloat, PositiveInt

from tegum.store.experiment import Cell, Claim, Experiment, Row


class Walks(Experiment):
    """Random walks: scalars, lists and arrays that depend on the seed and the cell alone."""

    name = "walks"
    title = "Random walks"

    class Params(Experiment.Params):
        walks: PositiveInt = 12
        steps: tuple[PositiveInt, ...] = (10, 100)
        milliseconds: NonNegativeFloat = 2.0

    presets = {"quick": Params(), "paper": Params(walks=100)}

    def cells(self, params):
        return [Cell(walk=walk, steps=steps) for steps in params.steps for walk in range(params.walks)]

    def run(self, cell, params):
        time.sleep(params.milliseconds / 1000)
        path = np.random.default_rng([params.seed, cell.walk, cell.steps]).standard_normal(cell.steps).cumsum()
        return Row(end=path[-1], unbounded=float("inf"), undefined=float("nan"), extremes=[path.min(), path.max()], path=path)

    def claims(self, rows):
        yield Claim("every walk has its steps", all(len(row.path) == row.steps for row in rows), expected=True)
        yield Claim(
            "walks end near where they began", np.mean([row.end for row in rows]), expected=(-50, 50), interval=(-20, 20), reason="wide"
        )


class Diary(Walks):
    """Random walks that also write down every time that one is run, to count what is run twice."""

    name = "diary"

    class Params(Walks.Params):
        folder: str = ""

    presets = {"quick": Params()}

    def run(self, cell, params):
        with (Path(params.folder) / f"{cell.walk}-{cell.steps}").open("a") as diary:
            diary.write(f"{os.getpid()}\n")
        return super().run(cell, params)


class Mute(BaseException):
    """What is no Exception and cannot say its message."""

    def __str__(self):
        raise Mute


class Moody(Experiment):
    """Cells that misbehave as their `mood` says, until a file named `calm` lies in the folder."""

    name = "moody"

    class Params(Experiment.Params):
        folder: str = ""
        moods: tuple[str, ...] = ("good", "raises", "kills", "good too")

    presets = {"quick": Params()}

    def cells(self, params):
        return [Cell(mood=mood) for mood in params.moods]

    def run(self, cell, params):
        with (Path(params.folder) / f"{cell.mood} was run").open("a") as diary:
            diary.write("x")
        if not (Path(params.folder) / "calm").exists():
            match cell.mood:
                case "raises":
                    raise ArithmeticError("two and two make five")
                case "exits":
                    raise SystemExit(3)
                case "kills":
                    os.kill(os.getpid(), 9)
                case "leaves":
                    os._exit(0)
                case "returns a list":
                    return [1]
                case "holds a function":
                    return Row(function=print)
                case "prints":
                    os.write(1, b"chatter\n")
                case "kills oddly":
                    os.kill(os.getpid(), 40)
                case "fills its own disk":
                    raise OSError(28, "No space left on device")
                case "interrupts":
                    raise KeyboardInterrupt
                case "is mute":
                    raise Mute
                case "meets a bad name":
                    raise ValueError("bad file \udcff\0")
        return Row(mark=len(cell.mood), threads=os.environ["OMP_NUM_THREADS"])

    def claims(self, rows):
        yield Claim("all are calm", True, expected=True)


class Careless(Walks):
    """Walks of which the claims read a field that no row has."""

    name = "careless"

    def claims(self, rows):
        yield Claim("walks have colour", rows[0].colour, expected=1.0)


class Malformed(Experiment):
    """Cells as the parameters say: none, or one twice."""

    name = "malformed"

    class Params(Experiment.Params):
        walks: tuple[int, ...] = ()

    presets = {"quick": Params()}

    def cells(self, params):
        return [Cell(walk=walk) for walk in params.walks]

    def run(self, cell, params):
        return Row(cell.walk)

    def claims(self, rows):
        return ()
