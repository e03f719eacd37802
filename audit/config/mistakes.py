"""What pydantic finds wrong with a table -> where that stands in the file and what to do about it, in plain words."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core.core_schema import ErrorType

from audit.config.positions import Place
from audit.errors import nearest

JsonSchema = dict[str, Any]

PYDANTICS_OWN = set(get_args(ErrorType)) - {"value_error", "assertion_error"}
KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text in quotes",
    "boolean": "true or false",
    "object": "a table",
    "array": "a list",
}


@dataclass(frozen=True)
class Mistake:
    """Something wrong at a place of the file."""

    place: Place
    message: str


def title(place: Place) -> str:
    """A table as people write it: [audit], [[models]], [presets.sparse], regularizers[0] of [presets.sparse]."""
    header, rest = _split(place)
    return f"{written(rest)} of {header}" if rest else header


def setting(place: Place, value: Any) -> str:
    """A key and its value as people write them: learning_rate.max = 100.0."""
    return f"{key(place)} = {shown(value)}"


def key(place: Place) -> str:
    """A key as people write it inside of its section: input[2]; a section itself as a key of the file: presets.soft."""
    return written(_split(place)[1] or place)


def _split(place: Place) -> tuple[str, Place]:
    """The header of a section, and the keys inside of the section."""
    if len(place) > 1 and isinstance(place[1], int):
        return f"[[{place[0]}]]", place[2:]
    if place[0] == "presets":
        return f"[{'.'.join(map(str, place[:2]))}]", place[2:]
    return f"[{place[0]}]", place[1:]


def written(place: Place) -> str:
    """A path of keys as people write it: learning_rate.max, input[2], directions."features.9"."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{_bare(key)}" for key in place).removeprefix(".")


def _bare(key: str) -> str:
    """A key without quotes, where TOML lets it stand so."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def shown(value: Any) -> str:
    """A value as it stands in the file, shortened."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:36]} ..."


def unknown_key(place: Place, known: list[str], where: str) -> Mistake:
    """A key that nothing reads, with the nearest one that something does."""
    return Mistake(place, f'no key "{place[-1]}" in {where}{nearest(str(place[-1]), known)}')


def translate(error: ValidationError, table: Any, section: Place, schema: JsonSchema) -> Iterator[Mistake]:
    """One mistake per place of `table`, which stands at `section` and should have been as `schema` says."""
    details = [(detail, _place(detail["loc"], table)) for detail in error.errors(include_url=False)]
    places = {place for _, place in details}
    told: set[Place] = set()
    for detail, place in details:
        if detail["type"] != "missing":
            inner = any(other != place and other[: len(place)] == place for other in places)
            if place in told or (inner and place):  # of a union's branches, the one that got furthest into the value
                continue
            told.add(place)
        yield _mistake(detail, place, table, section, schema)


def _place(location: tuple[str | int, ...], table: Any) -> Place:
    """A location of pydantic without the names that it gives to the branches of a union."""
    place: Place = ()
    for key in location:
        known = table.keys() if isinstance(table, dict) else range(len(table)) if isinstance(table, list) else ()
        if key in known:
            table, place = table[key], (*place, key)
    return place


def _mistake(detail: Any, place: Place, table: Any, section: Place, schema: JsonSchema) -> Mistake:
    where, value = (*section, *place), at(table, place)
    if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return unknown_key(where, keys(nodes(schema, table, place[:-1])), title(where[:-1]))
    if detail["type"] == "missing" and isinstance(value, dict):
        missing = str(detail["loc"][-1])
        meaning = [node["description"] for node in nodes(schema, table, (*place, missing)) if "description" in node][:1]
        return Mistake(where, ": ".join([f'{title(where)} needs "{missing}"', *meaning]))
    alternatives = nodes(schema, table, place) if detail["type"] in PYDANTICS_OWN else []
    words = describe(alternatives)
    subject = setting(where, value) if place else title(section)
    return Mistake(where, f"{subject}: {f'needs {words}{_closest(value, alternatives)}' if words else _text(detail)}")


def _closest(value: Any, alternatives: list[JsonSchema]) -> str:
    """`; did you mean "field"?` where a text is close to one of those that are allowed."""
    allowed = [name for node in alternatives for name in node.get("enum", []) if isinstance(name, str)]
    hint = nearest(value, allowed) if isinstance(value, str) else ""
    return hint if "did you mean" in hint else ""


def _text(detail: Any) -> str:
    """The words of a validator of ours or of a component, or pydantic's without its own terms."""
    text = str(detail["msg"])
    for pydantics in ("Value error, ", "Assertion failed, ", "Input "):
        text = text.removeprefix(pydantics)
    return text


def at(table: Any, place: Place) -> Any:
    """The value at a place of a table."""
    for key in place:
        table = table[key]
    return table


def nodes(schema: JsonSchema, table: Any, place: Place) -> list[JsonSchema]:
    """The parts of a JSON schema that speak of a place of a table: one, or one for each alternative."""
    alternatives = list(_alternatives(schema, schema, table))
    for key in place:
        table = _get(table, key)
        alternatives = [
            branch
            for node in alternatives
            if (child := _child(node, key)) is not None
            for branch in _alternatives(child, schema, table)
        ]
    return alternatives


def _get(table: Any, key: str | int) -> Any:
    try:
        return table[key]
    except (LookupError, TypeError):
        return None


def _child(node: JsonSchema, key: str | int) -> JsonSchema | None:
    if isinstance(key, str):
        child = node.get("properties", {}).get(key, node.get("additionalProperties"))
    elif key < len(node.get("prefixItems", [])):
        child = node["prefixItems"][key]
    else:
        child = node.get("items")
    return child if isinstance(child, dict) else None


def _alternatives(node: JsonSchema, root: JsonSchema, value: Any) -> Iterator[JsonSchema]:
    """A node without its references and branches; branches that are marked for other values are left out."""
    if "$ref" in node:
        meant = root["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        yield from _alternatives({**meant, **_without(node, "$ref")}, root, value)
    elif branches := node.get("anyOf") or node.get("oneOf"):
        for branch in branches:
            common = {key: text for key, text in node.items() if key == "description"}
            yield from _alternatives({**common, **branch}, root, value)
    elif not isinstance(value, dict) or all(value.get(key, mark) == mark for key, mark in _marks(node)):
        yield node


def _without(node: JsonSchema, key: str) -> JsonSchema:
    return {name: value for name, value in node.items() if name != key}


def _marks(node: JsonSchema) -> Iterator[tuple[str, Any]]:
    """The properties that can have one value only, by which branches are told apart, and that value."""
    return ((key, child["const"]) for key, child in node.get("properties", {}).items() if "const" in child)


def keys(alternatives: list[JsonSchema]) -> list[str]:
    """Every key that one of the alternatives knows."""
    return list(dict.fromkeys(key for node in alternatives for key in node.get("properties", {})))


def describe(alternatives: list[JsonSchema]) -> str:
    """What a value must be: `a whole number above 0`, `a number or a list`; nothing where that is unknown."""
    return " or ".join(dict.fromkeys(filter(None, map(_words, alternatives))))


def _words(node: JsonSchema) -> str:
    if "const" in node or "enum" in node:
        return _either(list(map(shown, node.get("enum", [node.get("const")]))))
    kind = node.get("type")
    if kind == "array":
        return _list_words(node)
    if kind == "string" and "examples" in node:
        return f"a text like {_either(list(map(shown, node['examples'])))}"
    if kind == "string" and node.get("minLength"):
        return "a non-empty text"
    return " ".join([KINDS.get(str(kind), ""), _limits(node)]).strip()


def _limits(node: JsonSchema) -> str:
    if "minimum" in node and "maximum" in node:
        return f"from {node['minimum']:.12g} to {node['maximum']:.12g}"
    return " and ".join(f"{words} {node[limit]:.12g}" for limit, words in _LIMITS.items() if limit in node)


_LIMITS = {"exclusiveMinimum": "above", "minimum": "of at least", "exclusiveMaximum": "below", "maximum": "of at most"}


def _either(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _list_words(node: JsonSchema) -> str:
    if "prefixItems" in node:
        return f"a list of {len(node['prefixItems'])}, each {_words(node['prefixItems'][0]) or 'a value'}"
    entry = describe(node.get("items", {}).get("anyOf", [node.get("items", {})]))
    size = "a non-empty list" if node.get("minItems") else "a list"
    return f"{size}, each {entry}" if entry else size
