"""audit.toml -> its models loaded, their layers chosen, and every mistake that shows before anything is measured."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import torch

from audit import registry
from audit.baseline import Baseline, read_baseline
from audit.config import Config, DataSection, ModelSection, read_partly
from audit.data.comma_separated import missing_file
from audit.data.images import leads_somewhere, open_images
from audit.errors import ConfigError, Problem, SectionError
from audit.model.load import Model
from audit.model.load import load as load_model
from audit.plan.checking import check_problems, subject
from audit.plan.layers import chosen_layers
from audit.plan.second import second_problems
from audit.plan.subject import Prepared, Subject
from audit.waivers import Waivers, waivers_for
from audit.waivers.reading import DEFAULT


def prepare(path: Path) -> Prepared:
    """Reads audit.toml, loads its models and finds its layers; ConfigError with every mistake there is.

    No picture is read and no code of [data] is run: it is enough that there is something to read or to run.
    """
    ready = prepared(*read_partly(path))
    return replace(ready, waivers=_waivers(ready.config, ready.subjects))


def prepared(config: Config, problems: Sequence[Problem] = ()) -> Prepared:
    """The same of what was read, where there were such `problems`; without waivers."""
    with registry.using(config.plugins):
        return _prepared(config, list(problems))


def _prepared(config: Config, problems: list[Problem]) -> Prepared:
    chosen = device(config.audit.device)
    if not _is_here(chosen):
        message = f'device = "{config.audit.device}": this machine has no such device; "auto" takes what there is'
        problems.append(config.problem(("audit", "device"), message))
        chosen = torch.device("cpu")
    models: dict[str, Model] = {}
    for section in config.models:
        model, wrong = _loaded(config, section, chosen)
        models |= {} if model is None else {section.name: model}
        problems += wrong
    layers, layer_problems = chosen_layers(config, models)
    baseline, wrong_baseline = _baseline(config)
    problems += [*layer_problems, *second_problems(config, models), *_data_problems(config), *wrong_baseline]
    problems += _template_problems(config)
    if problems:
        raise ConfigError(problems)
    subjects = {name: subject(config, model, layers[name]) for name, model in models.items()}
    if problems := check_problems(config, subjects):
        raise ConfigError(problems)
    return Prepared(config, subjects, baseline)


def _baseline(config: Config) -> tuple[Baseline, Sequence[Problem]]:
    """What was accepted, where some check is held against it; it need not be there yet."""
    if all(chosen.change is None for chosen in config.checks):
        return Baseline(), ()
    try:
        return read_baseline(config.baseline), ()
    except ConfigError as error:
        return Baseline(), error.problems


def _template_problems(config: Config) -> list[Problem]:
    """What is wrong with the user's templates as far as that shows before a page is filled."""
    folder = config.templates
    if folder is None:
        return []
    if not folder.is_dir():
        message = f'templates = "{config.audit.templates}": there is no folder {folder}'
        return [config.problem(("audit", "templates"), message)]
    from audit.render import own

    return list(own.problems(folder))


def _waivers(config: Config, subjects: Mapping[str, Subject]) -> Waivers:
    asked = config.audit.waivers
    items = (item for one in subjects.values() for item in one.items(config.file.name))
    file = config.file.parent / (asked or DEFAULT)
    return waivers_for(file, asked is not None, items, lambda item: subjects[item.model].is_check(item))


def device(name: str) -> torch.device:
    """The device of that name; "auto" is CUDA where there is one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def _is_here(device: torch.device) -> bool:
    if device.type == "cuda":
        return (device.index or 0) < torch.cuda.device_count()
    return device.type != "mps" or torch.backends.mps.is_available()


WEIGHTS = ("checkpoint", "key", "prefix")
LEFT_OUT = dict.fromkeys(WEIGHTS, WEIGHTS) | {"labels": ("labels",)}
"""A wrong option -> the options to leave out, so that the rest of the section can be tried too."""


def _loaded(config: Config, section: ModelSection, device: torch.device) -> tuple[Model | None, list[Problem]]:
    """The model, without its weights or labels if these are wrong: its layers can be found all the same."""
    tried = section
    problems: list[Problem] = []
    while True:
        try:
            return load_model(tried, config.file.parent, device), problems
        except SectionError as error:
            place = (*config.path(section), error.option)
            problems.append(config.problem(place, f'model "{section.name}": {error}'))
            if error.option not in LEFT_OUT:
                return None, problems
            tried = tried.model_copy(update=dict.fromkeys(LEFT_OUT[error.option]))


def _data_problems(config: Config) -> list[Problem]:
    """What is wrong with [data] as far as that can be told without opening it."""
    if config.data is None:
        return []
    told = [
        config.problem(("data", option), message)
        for option, message in missing_file(config.file.parent, "concepts", config.data.concepts)
    ]
    if _leads_somewhere(config.data, config.file.parent):
        return told
    try:
        open_images(config.data, config.file.parent)
    except SectionError as error:
        return [*told, config.problem(("data", error.option), str(error))]
    return told


def _leads_somewhere(data: DataSection, folder: Path) -> bool:
    """Whether there are files where [data] says, or a file or package that the factory could be in."""
    if data.factory is None:
        return leads_somewhere(data, folder)
    where = str(data.factory).rpartition(":")[0]
    if where.endswith(".py"):
        return (folder / where).is_file()
    try:
        return find_spec(where.partition(".")[0]) is not None
    except ValueError:  # a module that was loaded without a finder
        return True
