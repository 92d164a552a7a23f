"""Auditing: what a layer or a dictionary holds, who can read it, and how sure that is.

Names load when first used (PEP 562).
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tegum.auditing._answer import Answer, Finding
    from tegum.auditing._subject import Subject, subject_of
    from tegum.auditing.audits import Audit, audit
    from tegum.auditing.contexts import Contexts, contexts, top_contexts
    from tegum.auditing.holding import holding
    from tegum.auditing.layout import EffectiveDims, effective_dims, layout
    from tegum.auditing.readers import Reading, read_by
    from tegum.auditing.reading import InModel, reading
    from tegum.auditing.superposition import SuperpositionTest, superposition, superposition_test

_HOMES = {
    "Answer": "_answer",
    "Audit": "audits",
    "Contexts": "contexts",
    "EffectiveDims": "layout",
    "Finding": "_answer",
    "InModel": "reading",
    "Reading": "readers",
    "Subject": "_subject",
    "SuperpositionTest": "superposition",
    "audit": "audits",
    "contexts": "contexts",
    "effective_dims": "layout",
    "holding": "holding",
    "layout": "layout",
    "read_by": "readers",
    "reading": "reading",
    "subject_of": "_subject",
    "superposition": "superposition",
    "superposition_test": "superposition",
    "top_contexts": "contexts",
}
__all__ = [
    "Answer",
    "Audit",
    "Contexts",
    "EffectiveDims",
    "Finding",
    "InModel",
    "Reading",
    "Subject",
    "SuperpositionTest",
    "audit",
    "contexts",
    "effective_dims",
    "holding",
    "layout",
    "read_by",
    "reading",
    "subject_of",
    "superposition",
    "superposition_test",
    "top_contexts",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"tegum.auditing.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'tegum.auditing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
