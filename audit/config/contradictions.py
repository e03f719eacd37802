"""The tables of a file -> what is wrong with their forms, and what does not fit together."""

from collections.abc import Collection, Iterator
from typing import Any

from audit import registry
from audit.config.changes import SUFFIX
from audit.config.mistakes import Mistake, setting, title
from audit.config.positions import Place
from audit.config.sections import ARRAYS, SECTIONS, TABLES, DataSection, analyses, matches
from audit.errors import nearest

Tables = dict[str, Any]


def tables_of(tables: Tables, kind: str) -> list[dict[str, Any]]:
    """The tables of an array of tables; an empty one where something else stands, so that indices stay."""
    entries = tables.get(kind)
    return [entry if isinstance(entry, dict) else {} for entry in entries] if isinstance(entries, list) else []


def misplaced(tables: Tables) -> Iterator[Mistake]:
    """What is no section at all, or a section of the wrong form."""
    for name, value in tables.items():
        if name not in SECTIONS:
            yield _no_section(name, value)
        elif name in ARRAYS and isinstance(value, list):
            for index, entry in enumerate(value):
                if not isinstance(entry, dict):
                    yield Mistake((name, index), f"{setting((name, index), entry)}: needs a table")
        elif name in ARRAYS:
            yield Mistake((name,), f"there may be several: write [[{name}]], with two brackets")
        elif not isinstance(value, dict):
            yield Mistake((name,), f"there is only one: write [{name}], with its keys below")


def _no_section(name: str, value: Any) -> Mistake:
    if isinstance(value, dict | list):
        return Mistake((name,), f"no section [{name}]{nearest(name, SECTIONS)}")
    owners = [kind for kind, section in (TABLES | ARRAYS).items() if name in section.model_fields]
    headers = " or ".join(title((kind, 0) if kind in ARRAYS else (kind,)) for kind in owners)
    return Mistake(
        (name,), f'"{name}" is in no section{f"; put it under {headers}" if owners else nearest(name, SECTIONS)}'
    )


def contradictions(tables: Tables, presets: Collection[str]) -> Iterator[Mistake]:
    """What does not fit together; `presets` are all that a layer may name."""
    yield from _nothing_to_do(tables)
    yield from _sources(tables)
    yield from _twice(tables, "models", [table.get("name") for table in tables_of(tables, "models")])
    yield from _item_names(tables)
    yield from _unknown_models(tables)
    yield from _unknown_presets(tables, presets)
    yield from _unknown_second(tables)
    yield from _unknown_renderers(tables)
    yield from _contested(tables)


def _nothing_to_do(tables: Tables) -> Iterator[Mistake]:
    if "models" not in tables or tables["models"] == []:
        yield Mistake((), 'there is no [[models]]: name at least one model to audit, with its "name" and "factory"')
    if all(tables.get(kind) == [] for kind in ("layers", "checks")):
        yield Mistake((), "there is nothing to look at: leave out the empty layers and checks to get the default ones")


def _sources(tables: Tables) -> Iterator[Mistake]:
    if not isinstance(data := tables.get("data"), dict):
        return
    named = [f'"{source}"' for source in DataSection.SOURCES if source in data]
    if not named:
        known = ", ".join(f'"{source}"' for source in DataSection.SOURCES)
        yield Mistake(("data",), f"[data] has none of {known}: say where the pictures come from")
    if len(named) > 1:
        later = max((source for source in DataSection.SOURCES if source in data), key=list(data).index)
        both = "both " if len(named) == 2 else ""
        yield Mistake(("data", later), f"[data] has {both}{', '.join(named[:-1])} and {named[-1]}: keep one")
    if "arguments" in data and "factory" not in data:
        yield Mistake(("data", "arguments"), '"arguments" are for a "factory", and [data] has none')


def _item_names(tables: Tables) -> Iterator[Mistake]:
    names = [table.get("name", table.get("check")) for table in tables_of(tables, "checks")]
    yield from _twice(tables, "checks", names)
    yield from _names_of_changes(tables, names)
    for index, name in enumerate(names):
        if name in analyses():
            yield Mistake(("checks", index, "name"), f'"{name}" is the name of an analysis; give the check another')


def _names_of_changes(tables: Tables, names: list[Any]) -> Iterator[Mistake]:
    changes = {
        f"{names[index]}{SUFFIX}".casefold()
        for index, table in enumerate(tables_of(tables, "checks"))
        if "change" in table
    }
    for index, name in enumerate(names):
        if isinstance(name, str) and name.casefold() in changes:
            yield Mistake(
                ("checks", index, "name"),
                f'"{name}" is the name of the item of another check\'s change; give it another',
            )


def _twice(tables: Tables, kind: str, names: list[Any]) -> Iterator[Mistake]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if isinstance(name, str) and first.setdefault(name.casefold(), index) != index:  # a folder may ignore case
            number = first[name.casefold()] + 1
            advice = 'give each a "name" of its own' if "name" in tables[kind][index] else 'tell them apart with "name"'
            yield Mistake((kind, index, "name"), f'"{name}" is also the name of [[{kind}]] number {number}; {advice}')


def _unknown_models(tables: Tables) -> Iterator[Mistake]:
    models = [name for table in tables_of(tables, "models") if isinstance(name := table.get("name"), str)]
    for kind in ("layers", "checks"):
        for index, table in enumerate(tables_of(tables, kind)):
            for place, pattern in _texts((kind, index, "models"), table.get("models")):
                if models and not any(matches(pattern, name) for name in models):
                    yield Mistake(place, f'no model "{pattern}"{nearest(pattern, models)}')


def _unknown_presets(tables: Tables, presets: Collection[str]) -> Iterator[Mistake]:
    for index, table in enumerate(tables_of(tables, "layers")):
        for place, name in _texts(("layers", index, "presets"), table.get("presets")):
            if len(place) > 3 and name not in presets:
                yield Mistake(place, f'no preset "{name}"{nearest(name, sorted(presets))}')


def _unknown_second(tables: Tables) -> Iterator[Mistake]:
    models = [name for table in tables_of(tables, "models") if isinstance(name := table.get("name"), str)]
    for index, table in enumerate(tables_of(tables, "layers")):
        name = table.get("recognised_by")
        if models and isinstance(name, str) and name not in models:
            yield Mistake(("layers", index, "recognised_by"), f'no model "{name}"{nearest(name, models)}')


def _unknown_renderers(tables: Tables) -> Iterator[Mistake]:
    audit = tables.get("audit")
    for place, name in _texts(("audit", "renderers"), audit.get("renderers") if isinstance(audit, dict) else None):
        known = registry.names("renderer")
        if len(place) > 2 and name not in known and not registry.plugins().excuse("renderer", name):
            none = "; no plugin brings any" if not known else nearest(name, known)
            yield Mistake(place, f'no renderer "{name}"{none}')


def _contested(tables: Tables) -> Iterator[Mistake]:
    """Names that more than one component has: which of them is meant is not for us to guess."""
    audit = tables.get("audit")
    named: list[tuple[str, Place, Any]] = [
        ("renderer", ("audit", "renderers"), audit.get("renderers") if isinstance(audit, dict) else None)
    ]
    named += [
        (kind, (section, index, key), table.get(key))
        for kind, section, key in (("check", "checks", "check"), ("analysis", "layers", "analyses"))
        for index, table in enumerate(tables_of(tables, section))
    ]
    for kind, place, value in named:
        for where, name in _texts(place, value):
            if contested := registry.plugins().contested(kind, name):
                yield Mistake(where, contested)


def _texts(place: Place, value: Any) -> Iterator[tuple[Place, str]]:
    """A text, or each text of a list, with its place."""
    entries = [(place, value)] if isinstance(value, str) else []
    if isinstance(value, list):
        entries = [((*place, index), entry) for index, entry in enumerate(value)]
    return ((where, entry) for where, entry in entries if isinstance(entry, str) and entry)
