"""An audit.toml -> what of it will take long on this machine, from forward passes that are measured."""

import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from audit.advice.diagnosis import Symptom, has_fast_half
from audit.config import LayerSection
from audit.errors import ConfigError
from audit.model.looking import looking
from audit.plan import Prepared, Subject, chosen_units, device, prepare

PATIENCE = 600.0
"""Seconds of optimizing a model's images after which an audit is called slow."""
OF_A_STEP = 3.0
"""A step of the ascent in forward passes: one forward, about two back."""
PASSES = 3


def loads(file: Path) -> Iterator[Symptom]:
    """Whether the file is right, and per model how long its optimized images will take, roughly."""
    try:
        prepared = prepare(file)
    except ConfigError as error:
        for problem in error.seen_from(Path.cwd()).problems:
            yield Symptom(file.name, "broken", str(problem), "put it right; deepvis-audit run says the same")
        return
    yield Symptom(file.name, "ok", f"{len(prepared.items(file.name))} items of {', '.join(prepared.subjects)}")
    for subject in prepared.subjects.values():
        yield from _of_model(prepared, subject)


def _of_model(prepared: Prepared, subject: Subject) -> Iterator[Symptom]:
    on_cpu = device(prepared.config.audit.device).type == "cpu"
    sections = {
        layer: chosen.analyses["optimized"] for layer, chosen in subject.layers.items() if _optimizes(chosen.analyses)
    }
    half = [layer for layer, section in sections.items() if section.precision == "bf16"]
    if half and on_cpu and not has_fast_half():
        seen = f'precision = "bf16" for {", ".join(half)}, which this CPU does not compute in'
        yield Symptom(subject.name, "slow", seen, 'take precision = "float32"')
    if not sections:
        return
    images = sum(_images(subject, layer, section) for layer, section in sections.items())
    steps = sum(_steps(subject, layer, section) for layer, section in sections.items())
    forward = _forward(subject)
    seconds = OF_A_STEP * forward * steps
    seen = (
        f"{images} optimized images: at most about {_duration(seconds)} on this {'CPU' if on_cpu else 'device'}, as "
        f"one forward pass takes {1000 * forward:.0f} ms"
    )
    if seconds <= PATIENCE:
        yield Symptom(subject.name, "ok", seen)
    else:
        yield Symptom(subject.name, "slow", seen, "fewer units, presets or images in [[layers]]; or a GPU")


def _optimizes(analyses: Mapping[str, LayerSection]) -> bool:
    return "optimized" in analyses


def _units(subject: Subject, layer: str, section: LayerSection) -> int:
    """How many units are pictured; of "flagged" ones none are known before the run."""
    return len(chosen_units(section, subject.layers[layer].layer, 0, ()))


def _images(subject: Subject, layer: str, section: LayerSection) -> int:
    return _units(subject, layer, section) * section.images * len(section.presets)


def _steps(subject: Subject, layer: str, section: LayerSection) -> int:
    looked = sum(subject.presets[name].steps for name in section.presets)
    return _units(subject, layer, section) * section.images * looked


def _forward(subject: Subject) -> float:
    """Seconds of a forward pass of one picture: the median of a few, after one that is not counted."""
    model = subject.model
    picture = torch.zeros(1, *model.outline.input_shape, device=model.device)
    taken = []
    last = model.outline.layers[-1].name
    with looking(model.network, [last], lambda *_: None) as show:
        for _ in range(PASSES + 1):
            begun = time.perf_counter()
            show(picture)
            if model.device.type == "cuda":
                torch.cuda.synchronize(model.device)
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken[1:])


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
