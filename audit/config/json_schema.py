"""The sections and the registered components -> the JSON Schema of audit.toml."""

import json
from copy import deepcopy
from functools import cache
from importlib import import_module
from typing import Any

from pydantic import TypeAdapter

from audit import registry
from audit.config.mistakes import JsonSchema
from audit.config.sections import DEFAULTS, AuditSection, CheckSection, DataSection, LayerSection, ModelSection

DIALECT = "https://json-schema.org/draft/2020-12/schema"
OF_ONE = ("change", "only")
"""Keys of `[[checks]]` that speak of one check, and not of all default ones."""

AT_LEAST = "at_least"
"""The lowest good number: a check that requires it does not where only its change is judged."""

VARIABLE = {"type": "string", "pattern": r"\$\{", "description": "Filled in from the environment."}


def schema() -> JsonSchema:
    """The JSON Schema (draft 2020-12) of audit.toml, with the options of every registered component.

    A text that is bound to a pattern may instead hold an environment variable. What a schema cannot say (names that
    must exist elsewhere in the file, one number per channel) only `read` checks.
    """
    definitions: JsonSchema = {}
    checks = (*registry.built_in("check"), DEFAULTS)
    properties = {
        "audit": _moved(of(AuditSection), "audit", definitions),
        "models": _array(_moved(of(ModelSection), "model", definitions), least=1),
        "data": _moved(of(DataSection), "data", definitions),
        "presets": {
            "description": "How images are optimized, by name; a preset of a built-in's name replaces it.",
            "type": "object",
            "additionalProperties": _moved(preset(), "preset", definitions),
        },
        "layers": _array(_moved(of(LayerSection), "layer", definitions)),
        "checks": _array({"oneOf": [_moved(check(name), f"check.{name}", definitions) for name in checks]}),
    }
    root: JsonSchema = _or_variable(
        {
            "type": "object",
            "properties": properties,
            "required": ["models"],
            "additionalProperties": False,
            "$defs": dict(sorted(definitions.items())),
        }
    )
    return {"$schema": DIALECT, "title": "audit.toml", "description": "An audit of trained vision checkpoints.", **root}


def schema_text() -> str:
    """`schema()` as it stands in docs/audit.schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


@cache
def of(component: Any) -> JsonSchema:
    """The JSON schema of one section or component, without titles that repeat its keys, and without null.

    It is made once, and so must not be changed.
    """
    bare: JsonSchema = _bare(TypeAdapter(component).json_schema())
    return bare


def check(name: str) -> JsonSchema:
    """A `[[checks]]` table of that check: where it looks, and its own options; "defaults" has none. LookupError."""
    options: JsonSchema = {"type": "object"} if name == DEFAULTS else of(registry.load("check", name))
    section = of(CheckSection)
    chosen = {
        **section["properties"],
        "check": {"const": name, "description": section["properties"]["check"]["description"]},
    }
    if name == DEFAULTS:
        chosen = {key: node for key, node in chosen.items() if key not in OF_ONE}
    required = ["check", *options.get("required", [])]
    return {
        **options,
        "properties": {**chosen, **options.get("properties", {})},
        "required": [key for key in required if key != AT_LEAST],
        **({"if": {"required": ["only"]}, "else": {"required": [AT_LEAST]}} if AT_LEAST in required else {}),
        "additionalProperties": False,
    }


def preset() -> JsonSchema:
    """A `[presets.NAME]` table, with every registered regularizer, and the components of plugins that are in use."""
    node = deepcopy(of(import_module("audit.ascent.presets").Preset))
    definitions: JsonSchema = node.setdefault("$defs", {})
    in_use = registry.plugins().loaded
    regularizers = (*registry.built_in("regularizer"), *in_use("regularizer"))
    branches = [_moved(_named("regularizer", name), f"regularizer.{name}", definitions) for name in regularizers]
    described = {key: text for key, text in node["properties"]["regularizers"].items() if key == "description"}
    node["properties"]["regularizers"] = {**described, "type": "array", "items": {"oneOf": branches}, "default": []}
    for kind, holder in (
        ("transform", node["properties"]["transforms"]["items"]),
        ("parametrization", node["properties"]["parametrization"]),
    ):
        holder["anyOf"] += [_moved(_named(kind, name), f"{kind}.{name}", definitions) for name in in_use(kind)]
    return {**node, "$defs": _reachable(node, definitions)}


def _named(kind: str, name: str) -> JsonSchema:
    """A component of a preset, told from the others by its name."""
    node = of(registry.load(kind, name))
    properties = {kind: {"const": name, "description": f"Which {kind}."}}
    others = {key: child for key, child in node.get("properties", {}).items() if key != kind}
    required = [key for key in node.get("required", []) if key != kind]
    return {
        **node,
        "properties": properties | others,
        "required": [kind, *required],
        "additionalProperties": False,
    }


def _moved(node: JsonSchema, name: str, definitions: JsonSchema) -> JsonSchema:
    """A reference to a node that is moved, with its own definitions, to the shared ones; theirs must not differ."""
    node = dict(node)
    for inner, definition in node.pop("$defs", {}).items():
        if definitions.setdefault(inner, definition) != definition:
            raise ValueError(f'two components mean different things by "{inner}"; rename one of them')
    definitions[name] = node
    return {"$ref": f"#/$defs/{name}"}


def _reachable(node: Any, definitions: JsonSchema) -> JsonSchema:
    """The definitions that a node refers to, and those that they refer to."""
    found: JsonSchema = {}
    waiting = _references({key: child for key, child in node.items() if key != "$defs"})
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = definitions[name]
            waiting += _references(definitions[name])
    return found


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for child in node for name in _references(child)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"].rsplit("/", 1)[-1]] if isinstance(node.get("$ref"), str) else []
    return own + [name for child in node.values() for name in _references(child)]


def _array(items: JsonSchema, least: int = 0) -> JsonSchema:
    return {"type": "array", "items": items, **({"minItems": least} if least else {})}


def _bare(node: Any) -> Any:
    if isinstance(node, list):
        return [_bare(child) for child in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _bare(child) for key, child in node.items() if not _needless(key, child)}
    branches = [branch for branch in kept.pop("anyOf", []) if branch != {"type": "null"}]
    if len(branches) == 1:
        return {**branches[0], **kept}
    return {**kept, "anyOf": branches} if branches else kept


def _needless(key: str, child: Any) -> bool:
    """A title, or a default that is not there; a property that is called title has a table here, not a text."""
    return (key == "title" and isinstance(child, str)) or (key == "default" and child is None)


def _or_variable(node: Any) -> Any:
    """The node, where every text that is bound to a pattern or to some values may also be an environment variable."""
    if isinstance(node, list):
        return [_or_variable(child) for child in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") == "string" and ("pattern" in node or "enum" in node):
        outer = {key: node[key] for key in ("description", "default") if key in node}
        return {**outer, "anyOf": [{key: part for key, part in node.items() if key not in outer}, VARIABLE]}
    return {key: _or_variable(child) for key, child in node.items()}
