"""A document against a model of ``bodies``: the typed body, or one refusal that says where and what.

Of several faults the most telling one is reported: a name nobody knows explains the missing one beside it.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, Final, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from chimera.trading.errors import Refused

B = TypeVar("B", bound=BaseModel)

_CODES: Final[Mapping[str, str]] = {
    "missing": "MISSING_FIELD",
    "extra_forbidden": "UNKNOWN_FIELD",
    "out_of_range": "OUT_OF_RANGE",
    "greater_than_equal": "OUT_OF_RANGE",
    "less_than_equal": "OUT_OF_RANGE",
}  # every other fault is MALFORMED
_KINDS: Final[Mapping[str | None, str]] = {
    "boolean": "true or false",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "a JSON object",
}


def fit(document: Mapping[str, object], model: type[B]) -> B:
    """The body; raises ``Refused`` with ``MALFORMED``, ``MISSING_FIELD``, ``UNKNOWN_FIELD`` or ``OUT_OF_RANGE``."""
    try:
        return model.model_validate(document)
    except ValidationError as wrong:
        faults = wrong.errors(include_url=False)
        first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
        raise _refusal(first, model) from wrong


def _refusal(fault: Any, model: type[BaseModel]) -> Refused:
    path = [str(part) for part in fault["loc"]]
    field = ".".join(path)[:200]
    code = _CODES.get(fault["type"], "MALFORMED")
    if code == "UNKNOWN_FIELD":
        return _unknown(field, path, fault["input"], model)
    if code == "MISSING_FIELD":
        return Refused(code, f"{field} is missing", field=field, accepted=_wanted(model, path))
    accepted = _accepted(fault)
    return Refused(code, f"{field}: {_sentence(fault, accepted)}", field=field, value=fault["input"], accepted=accepted)


def _unknown(field: str, path: list[str], value: object, model: type[BaseModel]) -> Refused:
    known = _names(model, path[:-1])
    near = get_close_matches(path[-1][:64], known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return Refused(
        "UNKNOWN_FIELD", f"{field} is not a known field{hint}", field=field, value=value, accepted=", ".join(known)
    )


def _names(model: type[BaseModel], path: list[str]) -> list[str]:
    return list(_at(model, path).model_fields)


def _at(model: type[BaseModel], path: list[str]) -> type[BaseModel]:
    """The model that sits at ``path``."""
    for name in path:
        field = model.model_fields.get(name)  # none: a place in a list
        model = model if field is None else next(filter(_is_model, _kinds(field.annotation)), model)
    return model


def _wanted(model: type[BaseModel], path: list[str]) -> str | None:
    """What a field that is missing may hold, as far as its schema says so."""
    schema = _properties(_at(model, path[:-1])).get(path[-1], {})
    for says in ("description", "pattern"):
        if says in schema:
            return str(schema[says])
    return ", ".join(map(str, schema["enum"])) if "enum" in schema else _KINDS.get(schema.get("type"))


@cache
def _properties(model: type[BaseModel]) -> dict[str, Any]:
    """Drawn once: it takes as long as a hundred refusals. A model that holds itself has none at its top."""
    properties: dict[str, Any] = model.model_json_schema().get("properties", {})
    return properties


def _kinds(annotation: Any) -> Iterator[Any]:
    """The annotation and all that stands inside it: of a list, a choice, one with terms."""
    yield annotation
    for inner in get_args(annotation):
        yield from _kinds(inner)


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _accepted(fault: Any) -> str | None:
    context = fault.get("ctx", {})
    match fault["type"]:
        case "enum" | "literal_error":
            return str(context["expected"]).replace("'", "").replace(" or ", ", ")
        case "string_pattern_mismatch":
            return str(context["pattern"])
        case "greater_than_equal":
            return f"at least {context['ge']}"
        case "less_than_equal":
            return f"at most {context['le']}"
        case "out_of_range":
            return "greater than 0"
        case "too_short" | "string_too_short":
            return f"at least {_count(context['min_length'], fault['input'])}"
        case "too_long" | "string_too_long":
            return f"at most {_count(context['max_length'], fault['input'])}"
        case "bool_type" | "bool_parsing":
            return _KINDS["boolean"]
        case "string_type":
            return _KINDS["string"]
        case "list_type":
            return _KINDS["array"]
        case "int_type" | "int_parsing" | "int_from_float":
            return _KINDS["integer"]
        case "model_type" | "dict_type":
            return _KINDS["object"]
        case "malformed":
            return str(context["why"]).removeprefix("must be ").removeprefix("must have ")
        case _:
            return None


def _count(number: int, given: object) -> str:
    noun = "character" if isinstance(given, str) else "item"
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _sentence(fault: Any, accepted: str | None) -> str:
    if fault["type"] in ("malformed", "out_of_range"):
        return str(fault["msg"])
    if fault["type"].endswith(("too_short", "too_long")):
        return f"must have {accepted}"
    return f"must be {accepted}" if accepted else str(fault["msg"])
