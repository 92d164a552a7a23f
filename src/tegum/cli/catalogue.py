"""`tegum list` and `tegum info`: what parts there are, and one of them in full."""

import inspect
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tegum import parts
from tegum.cli.claims import told_claim, verdict_line
from tegum.cli.errors import BadInput, refusing
from tegum.cli.listing import write_listing
from tegum.cli.options import Json, StorePlace, open_store
from tegum.cli.output import columns, emit_json

if TYPE_CHECKING:
    from tegum.store import Claim


def list_parts(room: Annotated[str, typer.Argument(help="One room only, such as experiments.")] = "", *, as_json: Json = False) -> None:
    """List every experiment, distribution, dictionary, decoder, toy model, loss and engine there is.

    The first listing after an install or an edit imports every part and takes seconds; later ones read what it kept.
    """
    if room and room not in parts.ROOMS:
        raise BadInput(f"no room named {room!r}; {parts.did_you_mean(room, list(parts.ROOMS))}")
    with refusing():
        write_listing(room, as_json=as_json)


def info(
    name: Annotated[str, typer.Argument(help="A part's name, or an experiment's id.")], store: StorePlace = "runs", *, as_json: Json = False
) -> None:
    """Show one part: what it is, where it comes from, its parameters, and an experiment's claims in the store."""
    room = _room_of(name)
    with refusing():
        part = parts.find(room, name)
    claims: dict[str, list[Claim]] = {}
    if room == "experiments":
        with refusing():
            told, claims = _experiment(part()), _stored_claims(part, store)
    else:
        told = {"room": room, "name": part.__name__, "module": part.__module__, "text": _text(part), "parameters": _arguments(part)}
    if as_json:
        emit_json(told | {"claims": [{"setting": setting} | told_claim(claim) for setting, of in claims.items() for claim in of]})
        return
    _show(told)
    if room == "experiments":
        typer.echo("\nclaims that this store holds" if claims else "\nno claims in this store yet")
        for setting, of in claims.items():
            typer.echo("\n".join([f"  {setting}", *(f"    {verdict_line(claim)}" for claim in of)]))


def _room_of(name: str) -> str:
    with refusing():
        listed = parts.survey()
    for part in listed:
        if part.answers_to(name):
            return part.room
    known = [known for part in listed for known in (part.name, part.id)]
    raise BadInput(f"no part named {name!r}; {parts.did_you_mean(name, known)}")


def _experiment(experiment: Any) -> dict[str, Any]:
    schema = experiment.Params.model_json_schema()
    required = set(schema.get("required", ()))
    presets = {preset: params.model_dump(mode="json") for preset, params in experiment.presets.items()}
    return {
        "room": "experiments",
        "name": experiment.name,
        "id": experiment.id,
        "title": experiment.title,
        "source": experiment.source,
        "version": experiment.version,
        "module": type(experiment).__module__,
        "text": _text(type(experiment)),
        "parameters": [
            {
                "name": name,
                "type": _in_words(field, schema.get("$defs", {})),
                "default": None if name in required else field.get("default"),
                "presets": {preset: values[name] for preset, values in presets.items()},
            }
            for name, field in schema["properties"].items()
        ],
    }


def _stored_claims(experiment: Any, place: str) -> "dict[str, list[Claim]]":
    """The claims judged at the experiment's present version, by setting, the latest first."""
    from tegum.store.settings import setting_words

    found: dict[str, list[Claim]] = {}
    for record in open_store(place).claims():
        if (record.experiment, record.version) == (experiment.name, experiment.version):
            found.setdefault(setting_words(experiment, record.preset, record.params), []).append(record.claim)
    return found


def _text(part: Any) -> str:
    module = inspect.getdoc(sys.modules[part.__module__]) or ""
    own = part.__doc__ and inspect.getdoc(part)
    return "\n\n".join(text for text in (module, own) if text)


def _arguments(part: Any) -> list[dict[str, Any]]:
    parameters = inspect.signature(part).parameters.values()
    return [
        {
            "name": parameter.name,
            "type": _type_name(parameter.annotation),
            "default": "required" if parameter.default is parameter.empty else parameter.default,
            "presets": {},
        }
        for parameter in parameters
    ]


def _type_name(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    return inspect.formatannotation(annotation).replace("collections.abc.", "").replace("numpy.", "")


def _show(told: dict[str, Any]) -> None:
    typer.echo(" ".join(filter(None, (told.get("id"), told["name"], f"({told['room']}, {told['module']})"))))
    for line in filter(None, (told.get("title"), told.get("source") and f"source: {told['source']}")):
        typer.echo(line)
    typer.echo("\n" + told["text"])
    if told["parameters"]:
        presets = list(told["parameters"][0]["presets"])
        heading = ("parameter", "type", *(presets or ["default"]))
        rows = [(p["name"], p["type"], *(map(_value, p["presets"].values() if presets else [p["default"]]))) for p in told["parameters"]]
        typer.echo("\n" + columns([heading, *rows], indent=""))


def _value(value: Any) -> str:
    return ",".join(map(_value, value)) if isinstance(value, (list, tuple)) else str(value)


def _in_words(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    """A JSON schema's type in a few words, its bounds included."""
    field = definitions.get(field.get("$ref", "").rpartition("/")[2], field)
    if "anyOf" in field:
        return " or ".join(_in_words(option, definitions) for option in field["anyOf"])
    if "enum" in field or "const" in field:
        return " | ".join(map(str, field.get("enum", [field.get("const")])))
    if field.get("type") == "array":
        if "prefixItems" in field:
            return "(" + ", ".join(_in_words(item, definitions) for item in field["prefixItems"]) + ")"
        return f"list of {_in_words(field.get('items', {}), definitions)}"
    bounds = [f"{sign} {field[key]:g}" for key, sign in _BOUNDS.items() if key in field]
    return " ".join((field.get("type", "any"), ", ".join(bounds))).strip()


_BOUNDS = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
