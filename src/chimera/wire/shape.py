"""A document against a model of ``bodies``: the typed body, or one refusal that says where and what.

Of several faults the most telling one is reported: a name nobody knows explains the missing one beside it.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
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
        return Refused(code, f"{field} is missing", field=field)
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
    """The fields of the model that sits at ``path``."""
    for name in path:
        field = model.model_fields.get(name)  # none: a place in a list
        model = model if field is None else next(filter(_is_model, _kinds(field.annotation)), model)
    return list(model.model_fields)


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
        case "bool_type":
            return "true or false"
        case "model_type":
            return "a JSON object"
        case "malformed":
            return str(context["why"]).removeprefix("must be ").removeprefix("must have ")
        case _:
            return None


def _sentence(fault: Any, accepted: str | None) -> str:
    if fault["type"] in ("malformed", "out_of_range"):
        return str(fault["msg"])
    return f"must be {accepted}" if accepted else str(fault["msg"])
