"""Layers of published architectures: the statistics of every one against plain forward hooks, axes written out here."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt

from audit.config import ModelSection
from audit.data.made import Made
from audit.data.preprocess import batches, normalized
from audit.events import Silence
from audit.model.load import Model
from audit.model.outline import outline
from audit.records import Scalars
from audit.stream.moments import Moments
from audit.stream.sweep import sweep

SIZE, PICTURES = 64, 3
SECTION = ModelSection(name="model", factory="torchvision:alexnet", input=(3, SIZE, SIZE), mean=0.5, std=0.25)


class Noise:
    """Pictures of noise."""

    def __len__(self) -> int:
        return PICTURES

    def __getitem__(self, index: int) -> Image.Image:
        return Image.fromarray(np.random.default_rng(index).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8))


@dataclass(frozen=True)
class Builder:
    """How a network is made; `last` matches the modules whose units are on the last axis, the others' are on axis 1."""

    make: Callable[[], nn.Module]
    last: str = "nothing"


def published(name: str, **arguments: object) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        network: nn.Module = torchvision.models.get_model(name, weights=None, **arguments)
        return network

    return make


def vision_transformer() -> nn.Module:
    network: nn.Module = torchvision.models.VisionTransformer(SIZE, 16, 2, 3, 24, 40, num_classes=7)
    return network


def swin() -> nn.Module:
    network: nn.Module = torchvision.models.SwinTransformer([4, 4], 24, [2, 2], [3, 6], [4, 4], num_classes=7)
    return network


def swin_v2() -> nn.Module:
    block = torchvision.models.swin_transformer.SwinTransformerBlockV2
    merging = torchvision.models.swin_transformer.PatchMergingV2
    network: nn.Module = torchvision.models.SwinTransformer(
        [4, 4], 24, [2, 2], [3, 6], [4, 4], num_classes=7, block=block, downsample_layer=merging
    )
    return network


def convnext() -> nn.Module:
    network: nn.Module = ConvNeXt([CNBlockConfig(12, 20, 2), CNBlockConfig(20, None, 1)], num_classes=7)
    return network


CHANNELS_LAST_OF_SWIN = (
    r"features(?!\.0\.0$)(\.\d+)*(\.(norm|norm1|norm2|attn|reduction|mlp(\.\d)?|stochastic_depth))?|norm"
)
BUILDERS = {
    "squeezenet1_1": Builder(published("squeezenet1_1")),
    "mobilenet_v3_small": Builder(published("mobilenet_v3_small")),
    "shufflenet_v2_x0_5": Builder(published("shufflenet_v2_x0_5")),
    "efficientnet_b0": Builder(published("efficientnet_b0")),
    "googlenet": Builder(published("googlenet", init_weights=False, aux_logits=True)),
    "vision transformer": Builder(vision_transformer, r"encoder.*"),
    "swin": Builder(swin, CHANNELS_LAST_OF_SWIN),
    "swin v2": Builder(swin_v2, CHANNELS_LAST_OF_SWIN),
    "convnext": Builder(convnext, r"features\.\d+\.\d+\.block\.[1-5]"),
}


def plain_means(network: nn.Module, images: Tensor, last: str) -> dict[str, Tensor]:
    """The mean of every unit of every tensor that a module returns, by hooks that know nothing of the product."""
    found: dict[str, Tensor] = {}
    calls: Counter[str] = Counter()

    def keep(name: str, output: object) -> None:
        calls[name] += 1
        numbered = name if calls[name] == 1 else f"{name}#{calls[name]}"
        parts = {numbered: output} if isinstance(output, Tensor) else {f"{numbered}:0": output[0]}  # type: ignore[index]
        for part, value in parts.items():
            axis = value.dim() - 1 if re.fullmatch(last, name) else 1
            if len(value) == len(images):  # not the windows of images
                found[part] = value.double().mean([i for i in range(value.dim()) if i != axis])

    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: keep(name, output))
        for name, module in network.named_modules()
        if name
    ]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("name", BUILDERS)
def test_the_statistics_of_every_layer_are_those_of_a_plain_hook(name: str) -> None:
    torch.manual_seed(0)
    network = BUILDERS[name].make().eval()
    mean, std = torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 0.25)
    model = Model(SECTION, network, outline(network, SECTION.input), (), "", torch.device("cpu"), mean, std)
    data = Made(Noise())
    records = sweep(model, data, {layer.name: [Moments()] for layer in model.outline.layers}, 2, Silence())

    images = torch.cat([normalized(pixels, mean, std) for pixels, _ in batches(data, range(PICTURES), SECTION, 2)])
    expected = plain_means(network, images, BUILDERS[name].last)
    compared = [layer for layer in model.outline.layers if layer.name in expected]
    assert {layer.name for layer in model.outline.layers if layer.name not in expected} <= functional(model)
    assert [layer.name for layer in compared] == list(expected)
    for layer in compared:
        (record,) = records[layer.name]
        assert isinstance(record, Scalars)
        assert layer.units == len(expected[layer.name])
        np.testing.assert_allclose(
            record.columns["mean"], expected[layer.name], rtol=1e-4, atol=1e-5, err_msg=layer.name
        )


def functional(model: Model) -> set[str]:
    """Names of activations that are no modules, and of the network's own output."""
    modules = {name for name, _ in model.network.named_modules()}
    return {layer.name for layer in model.outline.layers if re.split("[#:]", layer.name)[0] not in modules}


def test_swin_has_units_of_hidden_dimensions_and_no_layers_of_windows() -> None:
    layers = {layer.name: layer for layer in outline(swin().eval(), (3, SIZE, SIZE)).layers}
    assert (
        layers["features.0.0"].shape
        == layers["features.0.2"].shape
        == layers["features.1.0.attn"].shape
        == (24, 16, 16)
    )
    assert layers["features.1.0.mlp.0"].shape == (96, 16, 16)
    assert layers["features.1.0.mlp.0"].layout == "image position position unit"
    assert layers["features.2.reduction"].shape == (48, 8, 8)
    assert layers["permute"].layout is None
    assert not any("softmax" in name for name in layers)


def test_a_vision_transformer_has_units_of_hidden_dimensions_at_tokens() -> None:
    layers = {layer.name: layer for layer in outline(vision_transformer().eval(), (3, SIZE, SIZE)).layers}
    assert layers["conv_proj"].shape == (24, 4, 4)
    assert layers["encoder.ln"].shape == layers["encoder.layers.encoder_layer_0.self_attention:0"].shape == (24, 17, 1)
    assert layers["encoder.layers.encoder_layer_1.mlp.1"].shape == (40, 17, 1)
    assert layers["heads"].shape == (7,)


def test_channels_last_layers_of_a_convnext_have_receptive_fields() -> None:
    layers = {layer.name: layer for layer in outline(convnext().eval(), (3, SIZE, SIZE)).layers}
    inner = layers["features.1.0.block.3"]
    assert inner.shape == (48, 16, 16)
    assert inner.field == layers["features.1.0.block.0"].field
    assert inner.field is not None
    assert inner.field.size == (28, 28)


def test_the_outputs_of_a_network_in_training_form_are_layers_and_the_logits_are_the_last() -> None:
    network = torchvision.models.googlenet(weights=None, init_weights=False, aux_logits=True, num_classes=5).train()
    names = [layer.name for layer in outline(network, (3, SIZE, SIZE)).layers]
    assert names[-3:] == ["output:aux_logits1", "output:aux_logits2", "output:logits"]
    assert {"aux1.fc2", "aux2.fc2", "fc"} < set(names)
