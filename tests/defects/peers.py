"""Plantings -> what other programs warn of, each run by an interpreter of its own: WeightWatcher and deepchecks.

A peer finds a defect if it warns of something that it does not warn of in the healthy model. They look at what they are
made for: WeightWatcher at weights; deepchecks at pictures, labels and predictions, with those of the healthy model as
its training data.
"""

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from audit.data.preprocess import fit, normalized
from audit.model.load import Model
from audit.plan import prepare
from tests.defects.definitions import Planting
from tests.defects.healthy import ROOT, Healthy, healthy
from tests.defects.lab import FILE, folder_of
from tests.defects.pictures import Labelled, pictures
from tests.defects.recipes import planted

SCRIPTS = ROOT / "benchmarks" / "peers"
Warned = Mapping[str, tuple[str, ...]]  # planting id -> what is warned of, and is not in the healthy model
HEALTHY = "healthy"


def warned(name: str, python: str, plantings: Sequence[Planting], folder: Path) -> Warned:
    """What the peer warns of in each planting and not in the healthy model; CalledProcessError if it cannot be run."""
    found: dict[str, tuple[str, ...]] = {}
    for model in dict.fromkeys(planting.subject.name for planting in plantings):
        mine = [planting for planting in plantings if planting.subject.name == model]
        said = PEERS[name](python, model, mine, folder)
        known = set(said[HEALTHY])
        found |= {planting.id: tuple(sorted(set(said.get(planting.id, known)) - known)) for planting in mine}
    return found


def _weightwatcher(python: str, model: str, plantings: Sequence[Planting], folder: Path) -> dict[str, list[str]]:
    """Of every checkpoint; defects of pictures and of preprocessing change none."""
    files = {HEALTHY: Path(healthy(model).table["checkpoint"])}
    for planting in plantings:
        if planting.defect.where not in ("shown", "pictures"):
            files |= {planting.id: next(folder_of(planting, folder).glob("planted.*"))}
    said = _said(python, "weightwatcher_warnings.py", folder, *map(str, files.values()))
    return {name: said[str(file)] for name, file in files.items()}


def _deepchecks(python: str, model: str, plantings: Sequence[Planting], folder: Path) -> dict[str, list[str]]:
    """The predictions' suite on all; those of the data alone where the pictures are others."""
    whole = healthy(model)
    reference = _shown(whole, whole.pictures, whole.model, folder / model / "reference")
    plain = {"reference_images": reference["images"], "reference_answers": reference["answers"]}
    jobs = [{"id": HEALTHY, "suites": list(SUITES), **reference, **plain}]
    for planting in plantings:
        here = folder_of(planting, folder)
        other = planting.defect.where == "pictures"
        spoilt = pictures(whole.source, whole.subject.pictures, **planted(whole, planting).pictures) if other else None
        network = prepare(here / FILE).subjects[model].model
        shown = _shown(whole, spoilt or whole.pictures, network, here, None if other else reference["images"])
        jobs.append({"id": planting.id, "suites": list(SUITES) if other else [SUITES[-1]], **shown, **plain})
    (folder / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    return _said(python, "deepchecks_failures.py", folder, str(folder / "jobs.json"))


SUITES = ("integrity", "validation", "evaluation")
PEERS: Mapping[str, Callable[[str, str, Sequence[Planting], Path], dict[str, list[str]]]] = {
    "weightwatcher": _weightwatcher,
    "deepchecks": _deepchecks,
}


def _said(python: str, script: str, folder: Path, *arguments: str) -> dict[str, list[str]]:
    out = folder / "said.json"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [python, str(SCRIPTS / script), str(out), *arguments]
    subprocess.run(command, check=True, env=environment, cwd=folder, stdout=subprocess.DEVNULL)
    said: dict[str, list[str]] = json.loads(out.read_text(encoding="utf-8"))
    return said


def _shown(whole: Healthy, shown: Labelled, model: Model, folder: Path, images: str | None = None) -> dict[str, str]:
    """Files of the pictures as the healthy model sees them, their labels, and a model's probabilities."""
    folder.mkdir(parents=True, exist_ok=True)
    if images is None:
        images = str(folder / "images.npy")
        np.save(images, _pixels(whole, shown))
    answers = str(folder / "answers.npz")
    np.savez(answers, label=_labels(whole, shown), probability=_probabilities(model, shown, whole.subject.batch))
    return {"images": images, "answers": answers}


def _pixels(whole: Healthy, shown: Labelled) -> UInt8[np.ndarray, "picture y x 3"]:
    return np.stack([fit(picture, whole.section).permute(1, 2, 0).numpy() for picture, _ in shown.examples])


def _labels(whole: Healthy, shown: Labelled) -> Int[np.ndarray, " picture"]:
    """Indices of outputs; a label of a photograph is the first word of its output's."""
    outputs = {name: index for index, label in enumerate(whole.model.labels) for name in (label, label.split()[0])}
    outputs |= {label: index for index, label in enumerate(whole.model.labels)}
    return np.array([outputs[label] for _, label in shown.examples])


@torch.inference_mode()
def _probabilities(model: Model, shown: Labelled, batch: int) -> Float[np.ndarray, "picture output"]:
    """Uniform where an output is not finite: deepchecks takes only probabilities."""
    parts = []
    for start in range(0, len(shown), batch):
        chosen = range(start, min(start + batch, len(shown)))
        pixels = torch.stack([fit(shown[index][0], model.section).float() / 255 for index in chosen])
        parts.append(model.network(normalized(pixels, model.mean, model.std)).double().softmax(1))
    probability = torch.cat(parts)
    return torch.where(probability.isfinite(), probability, 1 / probability.shape[1]).numpy()
