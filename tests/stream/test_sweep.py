"""The pass: in which parts a batch goes through the network, and that nothing depends on them."""

import numpy as np
import pytest
import torch
from torch import nn

from audit.model.outline import outline
from audit.stream import sweep
from audit.stream.moments import Moments
from audit.stream.reducer import Activations, Reducer
from audit.stream.strongest import Strongest
from audit.stream.sweep import images_at_once, measuring

SHAPE = (3, 12, 10)
CPU = torch.device("cpu")


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.Conv2d(8, 4, 3), nn.ReLU()).eval()


def records(pictures: torch.Tensor) -> list[np.ndarray]:
    chosen = network()
    reducers: dict[str, list[Reducer]] = {name: [Moments(), Strongest()] for name in "0123"}
    with measuring(chosen, outline(chosen, SHAPE).layers, reducers) as show:
        show(pictures, torch.arange(len(pictures)))
    made = [reducer.compute("layer") for those in reducers.values() for reducer in those]
    return [column for record in made for column in _columns(record)]


def _columns(record: object) -> list[np.ndarray]:
    named = getattr(record, "columns", None) or vars(record)
    return [column for column in named.values() if isinstance(column, np.ndarray)]


def test_a_batch_in_parts_measures_what_it_does_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = torch.randn(11, *SHAPE, generator=torch.Generator().manual_seed(1))
    at_once = records(pictures)
    monkeypatch.setattr(sweep, "AT_ONCE", {"cpu": 4 * 8 * 10 * 8})
    assert images_at_once(outline(network(), SHAPE).layers, CPU) == 4
    in_parts = records(pictures)
    assert len(at_once) == len(in_parts) == 4 * (5 + 4)
    for one, other in zip(at_once, in_parts, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_at_least_one_image_goes_through_however_large_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "AT_ONCE", {"cpu": 1})
    assert images_at_once(outline(network(), SHAPE).layers, CPU) == 1


def test_the_network_is_measured_in_channels_last_and_left_as_it_was() -> None:
    chosen, seen = network(), list[bool]()

    class Order(Moments):
        def update(self, batch: Activations) -> None:
            seen.append(batch.maps.is_contiguous(memory_format=torch.channels_last))

    before = [(weight.data_ptr(), weight.stride()) for weight in chosen.parameters()]
    with measuring(chosen, outline(chosen, SHAPE).layers, {"0": [Order()], "3": [Order()]}) as show:
        show(torch.randn(2, *SHAPE), torch.arange(2))
    assert seen == [True, True]
    assert [(weight.data_ptr(), weight.stride()) for weight in chosen.parameters()] == before
