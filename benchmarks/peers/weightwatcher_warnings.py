"""What WeightWatcher warns of in checkpoints: `python weightwatcher_warnings.py OUT CHECKPOINT ...` writes JSON.

OUT then holds, for each checkpoint, its warnings as a list of "layer: warning". Needs weightwatcher, torch and
safetensors, and nothing of the audited program: the layers are rebuilt from the shapes of their weights, which is all
that is looked at.
"""

import contextlib
import json
import logging
import os
import sys
import warnings
from pathlib import Path

import torch
import weightwatcher
from safetensors.torch import load_file
from torch import Tensor, nn

AXES_OF_CONVOLUTION, AXES_OF_LINEAR = 4, 2


def main() -> None:
    """Analyses each checkpoint with WeightWatcher's defaults; a breakdown is a warning too."""
    out, *checkpoints = map(Path, sys.argv[1:])
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    found: dict[str, list[str]] = {}
    for path in checkpoints:
        try:
            with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
                found[str(path)] = warned(state_of(path))
        except Exception as error:
            found[str(path)] = [f"broke down: {type(error).__name__}: {str(error)[:100]}"]
    out.write_text(json.dumps(found, indent=1))


def warned(state: dict[str, Tensor]) -> list[str]:
    """Layers that are "over-trained" or "under-trained"."""
    watcher = weightwatcher.WeightWatcher(model=layers(state))
    details = watcher.analyze()
    said = details[details["warning"] != ""]
    return [f"{row.longname}: {row.warning}" for row in said.itertuples()]


def layers(state: dict[str, Tensor]) -> nn.Module:
    """Every convolution and linear layer, one after another, under its own name."""
    network = nn.Module()
    for name, weight in state.items():
        if not name.endswith(".weight") or weight.ndim not in (AXES_OF_LINEAR, AXES_OF_CONVOLUTION):
            continue
        layer = (
            nn.Linear(weight.shape[1], weight.shape[0], bias=False)
            if weight.ndim == AXES_OF_LINEAR
            else nn.Conv2d(weight.shape[1], weight.shape[0], tuple(weight.shape[2:]), bias=False)
        )
        layer.weight = nn.Parameter(weight.float())
        network.add_module(name.removesuffix(".weight").replace(".", "_"), layer)
    return network


def state_of(path: Path) -> dict[str, Tensor]:
    """The tensors by name, wherever a checkpoint has them."""
    content = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    state = content.get("state_dict", content)
    return {name.removeprefix("module."): value for name, value in state.items()}


if __name__ == "__main__":
    main()
