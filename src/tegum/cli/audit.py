"""`tegum audit`: is this layer in superposition, and does its dictionary read all that is there? One answer a question, with intervals."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tegum.cli.errors import BadInput, Failed, Interrupted, note, one_line, refusing
from tegum.cli.options import Json
from tegum.cli.output import columns

if TYPE_CHECKING:
    import pandas as pd

    from tegum.auditing import Audit

Source = Annotated[
    Path,
    typer.Argument(
        metavar="ACTIVATIONS", help="A folder that tegum captured, an .npy or .safetensors file, or SAELens' cached activations."
    ),
]
Site = Annotated[str | None, typer.Option("--site", metavar="NAME", help="Which of several sites or tensors.")]
Dictionary = Annotated[
    Path | None,
    typer.Option("--dictionary", metavar="PATH", help="An autoencoder of SAELens, dictionary_learning, sparsify or tegum, or a learnt dictionary."),
]  # fmt: skip
Learn = Annotated[str, typer.Option("--learn", metavar="NAME", help="What to learn without one: `tegum list autoencoders`; none: nothing.")]
Features = Annotated[int | None, typer.Option("--features", "-m", min=1, help="How many features it gets; 8 a dim and at most 4,096.")]
Active = Annotated[
    int | None,
    typer.Option("--active", "-k", min=1, help="How many may be on in a row; what its encoder has on, or a twelfth of the dims."),
]
Samples = Annotated[int | None, typer.Option("--samples", min=1, help="Rows to train on, passes counted.")]
Question = Annotated[
    list[str] | None,
    typer.Option("--question", "-q", metavar="NAME", help="Only superposition, reading, holding, layout or contexts. Repeatable."),
]
ReadRows = Annotated[int, typer.Option("--rows", min=2, help="Held-out rows that are read.")]
TestRows = Annotated[int | None, typer.Option("--test-rows", min=2, help="Rows of the test for superposition.")]
References = Annotated[int | None, typer.Option("--references", min=1, help="Data sets that the test draws from each law without it.")]
PolishRows = Annotated[int, typer.Option("--polish-rows", min=0, help="Rows that the dictionary is polished on; 0: it is not.")]
Contexts = Annotated[str, typer.Option("--contexts", metavar="I,J,...", help="Features whose strongest contexts are shown.")]
Tokenizer = Annotated[str, typer.Option("--tokenizer", metavar="DIR", help="A folder of transformers' tokenizer, or minilm.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Keep each step there: the same command goes on after a crash.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the result as one page.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of splits, draws and training.")]


_TABLES = {  # that are shown in a terminal, and what of them
    "readers": ("reader", "dictionary", "l0", "explained_variance", "low", "high", "f1_with_encoder", "dims_per_bit"),
    "contexts": ("feature", "value", "before", "token", "after"),
}


def audit(
    activations: Source,
    *,
    dictionary: Dictionary = None,
    learn: Learn = "topk",
    site: Site = None,
    features: Features = None,
    active: Active = None,
    samples: Samples = None,
    question: Question = None,
    rows: ReadRows = 20_000,
    test_rows: TestRows = None,
    references: References = None,
    polish_rows: PolishRows = 50_000,
    contexts: Contexts = "",
    tokenizer: Tokenizer = "",
    out: Out = None,
    html: Html = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Audit a layer: whether it is in superposition, who can read it, what it could hold, how it is laid out.

    Without --dictionary one is learnt from the documents that are not held out. Steps are told on stderr as they are done.
    """
    if html is not None and (html.is_dir() or not html.absolute().parent.is_dir()):
        raise BadInput(
            f"cannot write {html}: it is a folder" if html.is_dir() else f"cannot write {html}: there is no folder {html.parent}"
        )
    asked = _features(contexts)
    with refusing():
        from tegum.auditing import audit as run
        from tegum.auditing.audits import QUESTIONS

        words = _tokenizer(tokenizer) if asked else None
        settings: dict[str, Any] = {
            "site": site, "learn": None if learn == "none" else learn, "n_features": features, "n_active": active, "samples": samples,
            "questions": question or QUESTIONS, "rows": rows, "test_rows": test_rows, "references": references, "polish_rows": polish_rows,
            "contexts_of": asked, "tokenizer": words, "out": out, "seed": seed,
        }  # fmt: skip
        try:
            found = run(activations, dictionary, **settings, on_step=_told)
        except KeyboardInterrupt:
            kept = f"what was done is kept in {out}, and the same command does the rest" if out else "nothing is kept without --out"
            raise Interrupted(f"interrupted; {kept}") from None
        except RuntimeError as error:
            raise Failed(f"the audit stopped: {one_line(error)}") from error
        if html is not None:
            found.to_html(html)
    typer.echo(found.to_json() if as_json else _shown(found))


def _told(step: str, seconds: float, there: bool) -> None:  # noqa: FBT001 - called by position
    note(f"{step}: {'kept' if there else f'{seconds:.1f} s'}")


def _shown(found: "Audit") -> str:
    """Each verdict, the findings below it, who reads and where features are on, and what was assumed."""
    facts = found.facts
    lost = f", {facts['left_out']:,} more that are not finite left out" if facts["left_out"] else ""
    parts = [f"{facts['name']}: {facts['rows']:,} rows of {facts['n_dims']} dims{lost}"]
    for one in found.answers.values():
        lines = [(line.name.replace("_", " "), _value(line.value), _interval(line.low, line.high), line.words) for line in one.findings]
        told = [f"{one.question}\n  {one.verdict}", columns(lines, indent="    ")]
        told += [columns(_lines(one.tables[name], shown), indent="    ") for name, shown in _TABLES.items() if name in one.tables]
        parts.append("\n\n".join((*told, *(f"  Assumed: {line}" for line in one.assumed))))
    return "\n\n".join(parts)


def _lines(table: "pd.DataFrame", shown: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [
        tuple(name.replace("_", " ") for name in shown),
        *(tuple(_value(line.get(name)) for name in shown) for line in table.to_dict("records")),
    ]


def _value(value: Any) -> str:
    return (
        ""
        if value is None or (isinstance(value, float) and math.isnan(value))
        else f"{value:.4g}"
        if isinstance(value, float)
        else str(value)
    )


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.4g} to {high:.4g}"


def _features(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise BadInput(f"--contexts {text!r}: features are numbers with commas between them") from None


def _tokenizer(place: str) -> Any:
    if not place:
        raise BadInput("--contexts needs --tokenizer, the one that made the tokens: a folder, or minilm")
    if place == "minilm":
        from tegum.activations import minilm

        return minilm()[1]
    if not Path(place).is_dir():
        raise BadInput(f"--tokenizer {place!r}: there is no such folder")
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(place, local_files_only=True)
