"""audit.toml -> Config: every section that is right, and every mistake with its line."""

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from pydantic import TypeAdapter, ValidationError

from audit import registry
from audit.config import json_schema
from audit.config.changes import SUFFIX, change, misfit
from audit.config.contradictions import contradictions, misplaced
from audit.config.mistakes import JsonSchema, Mistake, keys, nodes, setting, title, translate, unknown_key
from audit.config.positions import Place, Positions
from audit.config.sections import (
    ARRAYS,
    DEFAULTS,
    TABLES,
    AuditSection,
    CheckSection,
    DataSection,
    LayerSection,
    ModelSection,
    Section,
)
from audit.config.values import meant, within
from audit.errors import ConfigError, PluginError, Problem, nearest
from audit.registry.plugins import NONE, Plugins

OF_WEIGHTS = frozenset({"parameters", "normalisations"})
"""What a check may need where there are no pictures."""


@dataclass(frozen=True)
class ChosenCheck:
    """A `[[checks]]` table: where the check looks, and the check itself, built from its options.

    `implied`: nobody asked for it by name; it is one of the default checks, at its defaults.
    """

    section: CheckSection
    check: Any
    implied: bool = False

    @property
    def name(self) -> str:
        """The item's name."""
        return self.section.name or self.section.check

    @property
    def change(self) -> str | None:
        """The name of the item that judges the change against the baseline; None where none is asked."""
        return None if self.section.change is None else f"{self.name}{SUFFIX}"


@dataclass(frozen=True)
class BrokenCheck:
    """Stands for the check of a plugin that cannot be had, so that its items end with the reason, and no others."""

    reason: PluginError
    looks_at: str = "model"
    needs: ClassVar[tuple[str, ...]] = ()

    def problems(self, folder: Path) -> Iterator[tuple[str, str]]:
        """None that could be known."""
        yield from ()

    def judge(self, evidence: object) -> NoReturn:
        """PluginError: why there is no judgement."""
        raise self.reason


@dataclass(frozen=True)
class Config:
    """An audit.toml: its sections in the order of the file, and where each of them stands.

    `presets` holds the built-in presets and those of the file; `broken_presets` says why a broken plugin leaves some
    unmade. `plugins` is what it has beside the built-in components. `digest` is the SHA-256 of the contents with the
    environment filled in; comments, layout and the order of keys do not change it. `data` is None without `[data]`.
    """

    file: Path
    audit: AuditSection
    models: tuple[ModelSection, ...]
    data: DataSection | None
    presets: Mapping[str, Any]
    layers: tuple[LayerSection, ...]
    checks: tuple[ChosenCheck, ...]
    digest: str
    positions: Positions = field(repr=False, compare=False)
    places: tuple[tuple[Section, Place], ...] = field(repr=False, compare=False)
    plugins: Plugins = field(default=NONE, repr=False, compare=False)
    broken_presets: Mapping[str, PluginError] = field(default_factory=dict, repr=False, compare=False)

    @property
    def baseline(self) -> Path:
        """The file of the numbers that were accepted; it need not be there."""
        return self.file.parent / self.audit.baseline

    @property
    def templates(self) -> Path | None:
        """The folder of the user's own templates."""
        return None if self.audit.templates is None else self.file.parent / self.audit.templates

    def path(self, section: Section | ChosenCheck) -> Place:
        """Where one of this file's own sections stands: ("models", 0), or () for one that the file implies.

        Indices are those of the file, also where `read_partly` left a broken section out.
        """
        wanted = section.section if isinstance(section, ChosenCheck) else section
        return next((place for own, place in self.places if own is wanted), ())  # equal sections stand at two places

    def line(self, section: Section | ChosenCheck) -> int:
        """Where one of this file's own sections begins; 1 for one that the file implies."""
        return self.positions.of(self.path(section))[0]

    def problem(self, place: Place, message: str) -> Problem:
        """A mistake at a place such as (*config.path(model), "checkpoint"), or at what is nearest around it."""
        return problem_at(self.file, self.positions, Mistake(place, message))


def problem_at(file: Path, positions: Positions, mistake: Mistake) -> Problem:
    """The mistake with its line.

    Lines of the message after the first are indented by two; a line that is not is one that a name of the file has in
    it, and is shown as such.
    """
    return Problem(str(file), *positions.of(mistake.place), re.sub(r"\n(?!  )", r"\\n", mistake.message))


def read(path: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration in a file; ConfigError with all of its mistakes at once."""
    config, problems = read_partly(path, environment)
    if problems:
        raise ConfigError(problems)
    return config


def read_partly(path: Path, environment: Mapping[str, str] = os.environ) -> tuple[Config, list[Problem]]:
    """Every section that is right by itself, and all mistakes of the file in the order of their lines.

    Where there are problems the sections that were kept may still speak of some that were not: a layer of a preset
    that is broken. ConfigError where there is nothing to read: no such file, no text, no TOML.
    """
    tables, positions = document(path)
    try:
        reading = _Reading(*meant(tables, environment), path.parent)
        parts = reading.parts()
    except RecursionError:
        raise _too_deep(path) from None
    config = Config(file=path, positions=positions, **parts)
    return config, sorted({config.problem(mistake.place, mistake.message) for mistake in reading.mistakes})


def document(path: Path) -> tuple[dict[str, Any], Positions]:
    """The tables of a TOML file of ours, and where they stand; ConfigError where it cannot be read or is none."""
    text = _text(path)
    try:
        return _parsed(path, text), Positions(text)
    except RecursionError:
        raise _too_deep(path) from None


def _too_deep(path: Path) -> ConfigError:
    return ConfigError([Problem(str(path), 1, 1, "too many lists or tables inside each other")])


def _text(path: Path) -> str:
    try:
        contents = path.read_bytes()
    except OSError as error:
        raise ConfigError([Problem(str(path), 1, 1, f"cannot be read: {error.strerror or error}")]) from None
    try:
        return contents.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = contents[: error.start].decode("utf-8-sig", errors="replace")
        line, column = good.count("\n") + 1, len(good) - good.rfind("\n")
        raise ConfigError([Problem(str(path), line, column, "is not UTF-8 text; save the file as UTF-8")]) from None


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, or Python's own limit on the digits of a number
        message = re.sub(r" \(at .*\)$", "", str(error))
        at = re.search(r"at line (\d+), column (\d+)\)$", str(error))
        line, column = (int(at[1]), int(at[2])) if at else (text.rstrip().count("\n") + 1, 1)
        raise ConfigError([Problem(str(path), line, column, f"is not TOML: {message}")]) from None


PLUGINS: Place = ("audit", "plugins")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


class _Reading:
    """One pass over the tables: what is right is built, what is wrong is noted at its place."""

    def __init__(self, tables: dict[str, Any], mistakes: list[Mistake], folder: Path):
        self.tables = tables
        self.mistakes = mistakes
        self.folder = folder
        self.unfilled = [mistake.place for mistake in mistakes]  # their values are not what was meant: no more of them
        self.broken_presets: dict[str, PluginError] = {}

    def parts(self) -> dict[str, Any]:
        """The parts of a Config that come from the tables, with the names that its plugins bring."""
        plugins = self._plugins()
        with registry.using(plugins):
            parts = self._parts()
        if not plugins.excused:
            self._note(Mistake((*PLUGINS, index), f"{error}") for index, error in plugins.broken.items())
        return {**parts, "plugins": plugins, "broken_presets": self.broken_presets}

    def _plugins(self) -> Plugins:
        audit = self.tables.get("audit")
        listed = audit.get("plugins") if isinstance(audit, dict) else None
        entries = enumerate(listed if isinstance(listed, list) else [])
        filled = [(index, name) for index, name in entries if not within((*PLUGINS, index), self.unfilled)]
        plugins, mistakes = registry.gathered([entry for entry in filled if _is_text(entry[1])], self.folder)
        self._note(Mistake((*PLUGINS, mistake.index), mistake.message) for mistake in mistakes)
        return plugins

    def _parts(self) -> dict[str, Any]:
        self._note(misplaced(self.tables))
        presets = self._presets()
        built = {kind: self._sections(kind) for kind in (*TABLES, *ARRAYS)}
        checks = {place: self._check(place, table) for place, table in self._written("checks")}
        self._note(contradictions(self.tables, presets.keys() | dict(self._user_presets()).keys()))
        kept = {
            kind: [(place, section) for place, section in sections if section is not None and self._right(place)]
            for kind, sections in built.items()
        }
        only = {kind: tuple(section for _, section in sections) for kind, sections in kept.items()}
        return {
            "audit": next(iter(only["audit"]), AuditSection()),
            "models": only["models"],
            "data": next(iter(only["data"]), None),
            "presets": presets,
            "layers": only["layers"] if "layers" in self.tables else self._all_layers(),
            "checks": (*self._implied(), *self._chosen(kept["checks"], checks)),
            "digest": hashlib.sha256(json.dumps(self.tables, sort_keys=True).encode()).hexdigest(),
            "places": tuple((section, place) for sections in kept.values() for place, section in sections),
        }

    def _note(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes += [mistake for mistake in mistakes if not within(mistake.place, self.unfilled)]

    def _right(self, place: Place) -> bool:
        return not any(within(mistake.place, [place]) for mistake in self.mistakes)

    def _written(self, kind: str) -> Iterator[tuple[Place, dict[str, Any]]]:
        """The tables of a kind with their places, where they have the form of their kind."""
        value = self.tables.get(kind)
        if kind in TABLES and isinstance(value, dict):
            yield (kind,), value
        elif kind in ARRAYS and isinstance(value, list):
            yield from (((kind, index), table) for index, table in enumerate(value) if isinstance(table, dict))

    def _sections(self, kind: str) -> list[tuple[Place, Any]]:
        """Each section of a kind with its place; None where its keys or values are wrong."""
        section = (TABLES | ARRAYS)[kind]
        schema = json_schema.of(section)
        return [(place, self._validated(section, table, place, schema)) for place, table in self._written(kind)]

    def _validated(self, component: Any, table: dict[str, Any], place: Place, schema: JsonSchema) -> Any:
        """The component that a table makes, or None, its mistakes noted.

        TOML has JSON's values (its others are refused before), and pydantic reads JSON as strictly as we need: a list
        makes a tuple, but a text never makes a number.
        """
        try:
            return TypeAdapter(component).validate_json(json.dumps(table), strict=True)
        except ValidationError as error:
            self._note(translate(error, table, place, schema))
            return None

    def _all_layers(self) -> tuple[LayerSection, ...]:
        """Without [[layers]] all layers are measured and studied, if there are pictures to measure them on."""
        studied = ("activations", *registry.names("study"))
        return (LayerSection(name="*", analyses=studied),) if "data" in self.tables else ()

    def _chosen(self, kept: list[tuple[Place, Any]], checks: Mapping[Place, Any]) -> Iterator[ChosenCheck]:
        return (ChosenCheck(section, checks[place]) for place, section in kept if section.check != DEFAULTS)

    def _implied(self) -> Iterator[ChosenCheck]:
        """The default checks, where there is no [[checks]] or one that says so; without pictures those of the weights.

        A check that the file names itself is not implied a second time.
        """
        tables = [table for _, table in self._written("checks")]
        named = [table.get("check") for table in tables]  # a list, for what is written there may be anything
        if "checks" in self.tables and DEFAULTS not in named:
            return
        section = next((table for table in tables if table.get("check") == DEFAULTS), {})
        where: dict[str, Any] = {key: section[key] for key in ("models", "layers") if key in section}
        for name in registry.built_in("check"):  # what a plugin brings is asked for by name
            check = registry.load("check", name)
            possible = "data" in self.tables or set(check.needs) <= OF_WEIGHTS
            if check.by_default and possible and name not in named:
                yield ChosenCheck(self._section_of(name, where), check(), implied=True)

    def _section_of(self, name: str, where: dict[str, Any]) -> CheckSection:
        try:
            return CheckSection.model_validate_json(json.dumps({"check": name, **where}))
        except ValidationError:  # noted where it is written
            return CheckSection(check=name)

    def _check(self, place: Place, table: dict[str, Any]) -> Any:
        """The check that a `[[checks]]` table names; one that a broken plugin leaves unmade is a `BrokenCheck`."""
        name = table.get("check")
        if not isinstance(name, str):
            return None
        try:
            check = None if name == DEFAULTS else registry.load("check", name)
        except LookupError as error:
            self._note([Mistake((*place, "check"), error.args[0])])
            return None
        except PluginError as error:
            return BrokenCheck(error)
        try:
            return self._built(check, name, place, table)
        except Exception as error:
            return BrokenCheck(_blamed(name, error), getattr(check, "looks_at", "model"))

    def _built(self, check: Any, name: str, place: Place, table: dict[str, Any]) -> Any:
        """The check with its options, the keys that are not the section's own; None for the default checks."""
        if check is not None and registry.is_of_plugin("check", name):
            _refuse_unfit(name, check)
        schema = json_schema.check(name)
        known = keys(nodes(schema, table, ()))
        where = f'{title(place)} with check = "{name}"'
        self._note(unknown_key((*place, key), known, where) for key in table if key not in known)
        if check is None:
            return None
        options = {key: table[key] for key in table if key in known and key not in CheckSection.model_fields}
        if table.get("only") == "change" and json_schema.AT_LEAST in known:
            options = {json_schema.AT_LEAST: 0.0, **options}  # nobody has to give a limit that is not asked
        made = self._validated(check, options, place, schema)
        if made is not None and registry.is_of_plugin("check", name):
            list(made.problems(self.folder))  # a plugin's may fail, and its item says so
        self._note(self._unfit(made, table.get("change"), (*place, "change")))
        return made

    def _unfit(self, check: Any, text: Any, place: Place) -> Iterator[Mistake]:
        """That a change is in a unit in which the check does not measure."""
        with suppress(TypeError, ValueError):  # no text, or none of the forms: noted with the section
            reason = misfit(change(text), check.measured_in) if check and check.measured_in is not None else None
            if reason:
                yield Mistake(place, f"{setting(place, text)}: {reason}")

    def _user_presets(self) -> Iterator[tuple[str, Any]]:
        presets = self.tables.get("presets")
        return iter(presets.items() if isinstance(presets, dict) else ())

    def _presets(self) -> dict[str, Any]:
        """The built-in presets and those of the file, which win; none where no section could use one."""
        if not {"presets", "layers"} & self.tables.keys():
            return {}
        library = import_module("audit.ascent.presets")
        own = {name: self._preset(library.build, name, table) for name, table in self._user_presets()}
        presets = {**library.BUILT_IN, **own}
        return {name: preset for name, preset in presets.items() if preset is not None}

    def _preset(self, build: Callable[[str, dict[str, Any], Path], Any], name: str, table: Any) -> Any:
        """The preset that a table makes, or None, its mistakes noted."""
        place: Place = ("presets", name)
        try:
            preset = build(name, table, self.folder) if isinstance(table, dict) else None
        except ValidationError as error:
            self._note(translate(error, table, place, json_schema.preset()))
            return None
        except PluginError as error:
            self.broken_presets[name] = error
            return None
        except (LookupError, ValueError) as error:
            self._note([Mistake(place, f"{title(place)}: {error.args[0]}")])
            return None
        if preset is None:
            self._note([Mistake(place, f"{setting(place, table)}: needs a table")])
        return preset if self._right(place) else None


def _refuse_unfit(name: str, check: Any) -> None:
    """PluginError for a check whose options nobody could write, or whose needs nobody measures."""
    hidden = sorted(set(check.model_fields) & set(CheckSection.model_fields))
    if hidden:
        raise PluginError(f'the check "{name}" has the option "{hidden[0]}", a key of every [[checks]]; rename it')
    for need in check.needs:
        try:
            if need not in registry.TABLES:
                registry.load("statistic", need)
        except LookupError:
            known = [*registry.TABLES, *registry.names("statistic")]
            raise PluginError(
                f'the check "{name}" needs "{need}", which nobody measures{nearest(need, known)}'
            ) from None


def _blamed(name: str, error: Exception) -> PluginError:
    """What a plugin's check made of its options; what is the program's own is raised again."""
    if not registry.is_of_plugin("check", name):
        raise error
    if isinstance(error, PluginError):
        return error
    words = f'the check "{name}" cannot be made of its options: {type(error).__name__}: {error}'
    return registry.plugins().blame(error) or PluginError(words)
