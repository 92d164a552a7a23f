"""Answer: what one part of an audit found: a verdict in words, findings with intervals, tables, figures, and what was assumed.

It is plain data, so that an audit that was stopped goes on from answers on disk: written and read back, it is the same.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from plotly.graph_objects import Figure
from plotly.io import from_json

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Finding:
    """One number of an answer: its name, the value, its 95% interval where it has one, and a sentence that says what it is of."""

    name: str
    value: float | int | str | bool | None
    low: float | None = None
    high: float | None = None
    words: str = ""


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer to `question`. `verdict` is one or two sentences; tables by name; captions of figures are in their `layout.meta`."""

    question: str
    verdict: str
    findings: tuple[Finding, ...] = ()
    tables: Mapping[str, "pd.DataFrame"] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    assumed: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Everything as JSON text."""
        return json.dumps({
            "question": self.question,
            "verdict": self.verdict,
            "findings": [asdict(finding) for finding in self.findings],
            "tables": {name: _told(table) for name, table in self.tables.items()},
            "figures": [json.loads(figure.to_json() or "{}") for figure in self.figures],
            "assumed": list(self.assumed),
        })  # fmt: skip

    @classmethod
    def from_json(cls, text: str) -> "Answer":
        """What `to_json` wrote."""
        told: dict[str, Any] = json.loads(text)
        return cls(
            question=told["question"],
            verdict=told["verdict"],
            findings=tuple(Finding(**finding) for finding in told["findings"]),
            tables={name: _table(table) for name, table in told["tables"].items()},
            figures=tuple(from_json(json.dumps(figure)) for figure in told["figures"]),
            assumed=tuple(told["assumed"]),
        )


def _told(table: "pd.DataFrame") -> dict[str, Any]:
    """Columns as lists, to the last bit, and what they are."""
    return {"columns": {str(name): table[name].tolist() for name in table}, "kinds": {str(name): str(table[name].dtype) for name in table}}


def _table(told: Mapping[str, Any]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame({name: pd.Series(values, dtype=told["kinds"][name]) for name, values in told["columns"].items()})
