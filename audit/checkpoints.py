"""A checkpoint file in the place of a model's own -> a report of what is measured of it, without pictures of units."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from audit import events, registry
from audit.config import CheckSection, ChosenCheck, Config, LayerSection, ModelSection, read
from audit.config.reading import OF_WEIGHTS
from audit.errors import AuditError, ConfigError, nearest
from audit.plan import Prepared, prepared
from audit.records import Report
from audit.session import Session

CHEAP = frozenset({"activations", "predictions"}) | OF_WEIGHTS
"""What checks may need of the one pass that is made."""


def measured(file: Path, checkpoint: Path, model: str | None, listener: events.Listener) -> Report:
    """Activations of every layer, and the checks of the audit that need no more, of `checkpoint` in a model of `file`.

    AuditError for a model that there is not, for a checkpoint that does not fit it, and where the pictures cannot be
    measured. What is measured is kept as that of a run is.
    """
    config = read(file)
    ready = _prepared(config, _section(config, model), checkpoint)
    items = ready.items(file.name)
    session = Session(ready, items, listener=listener)
    for item in items:
        verdict = session.evaluate(item)
        if verdict.outcome == "error":
            raise AuditError(f"{checkpoint.name}: {item.id}: {verdict.message}")
    return replace(session.report(next(iter(ready.subjects))), audit=f"{config.audit.name}: {checkpoint.name}")


def _prepared(config: Config, section: ModelSection, checkpoint: Path) -> Prepared:
    """With the model's own `key` and `prefix`; without them where the other file is built otherwise."""
    own = _with(config, section, checkpoint)
    try:
        return prepared(own)
    except ConfigError as error:
        if section.key is None and section.prefix is None:
            raise
        found = section.model_copy(update={"key": None, "prefix": None})
        try:
            return prepared(_with(config, found, checkpoint))
        except ConfigError:
            raise error from None


def _section(config: Config, name: str | None) -> ModelSection:
    names = [section.name for section in config.models]
    if name is None and len(names) > 1:
        raise AuditError(f"{config.file.name} has the models {', '.join(names)}; name one of them with --model")
    if name is not None and name not in names:
        raise AuditError(f'--model: no model "{name}" in {config.file.name}{nearest(name, names)}')
    return next(section for section in config.models if name in (None, section.name))


def _with(config: Config, section: ModelSection, checkpoint: Path) -> Config:
    """The audit of that model alone, with other weights, which looks at activations."""
    if not checkpoint.is_file():
        raise AuditError(f"no file {checkpoint}: name two checkpoints to put in the place of the model's own")
    if config.data is None:
        raise AuditError(f"{config.file.name} has no [data]: checkpoints are compared by what they answer to pictures")
    changed = section.model_copy(update={"checkpoint": str(checkpoint.absolute())})
    layers = (LayerSection(name="*", analyses=("activations",)),)
    return replace(config, models=(changed,), layers=layers, checks=tuple(_cheap(config)))


def _cheap(config: Config) -> Iterator[ChosenCheck]:
    """Checks that one pass decides; one of accuracy always, so that answers are compared as well."""
    cheap = [chosen for chosen in config.checks if set(chosen.check.needs) <= CHEAP]
    yield from cheap
    if not any("predictions" in chosen.check.needs for chosen in cheap):
        yield ChosenCheck(CheckSection(check="accuracy"), registry.load("check", "accuracy")(), implied=True)
