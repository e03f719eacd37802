"""What defects.toml says of healthy checkpoints, held to plain loops over all the pictures there are."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from audit.data.preprocess import fit, normalized, unit_range
from tests.defects.healthy import healthy

SELDOM = 1 / 200


@pytest.mark.data
def test_the_silent_units_of_resnet20_are_those_that_hardly_any_picture_makes_fire(real):
    """Its first ReLUs show what the normalisation before them says; its blocks end in their second."""
    whole = healthy("resnet20")
    network = whole.model.network
    fired: dict[str, list[torch.Tensor]] = {}
    for name, module in network.named_modules():
        if name.endswith("bn1") or name.count(".") == 1:
            module.register_forward_hook(
                lambda _module, _inputs, maps, name=name: fired.setdefault(name, []).append(maps.amax((2, 3)) > 0)
            )
    files = sorted(Path(real, "cifar10", "test").glob("*/*.jpg"))
    with torch.inference_mode():
        for start in range(0, len(files), 100):
            pictures = [Image.open(file) for file in files[start : start + 100]]
            shown = torch.stack([unit_range(fit(picture, whole.section)) for picture in pictures])
            network(normalized(shown, whole.model.mean, whole.model.std))
    silent = {
        name.replace("bn1", "relu"): tuple(torch.nonzero(torch.cat(parts).float().mean(0) < SELDOM).flatten().tolist())
        for name, parts in fired.items()
    }
    assert {name: units for name, units in silent.items() if units} == whole.subject.silent
