"""A second model is asked: its probabilities against a plain forward pass and softmax, picture by picture."""

from pathlib import Path

import numpy as np
import torch

from audit.ascent.canvas import whole_input
from audit.config import LayerSection, ModelSection
from audit.demo.generator import pictures
from audit.model.load import Model, load
from audit.search.asked import Place
from audit.search.recognition import recognised


def model(name: str, mean: float, std: float) -> Model:
    made = ModelSection(name=name, factory="audit.demo.network:trained", input=(3, 64, 64), mean=mean, std=std)
    return load(made, Path(), torch.device("cpu"))


def outputs_of(first: Model) -> Place:
    """All classes of a model."""
    layer = first.outline.layers[-1]
    section = LayerSection(name=layer.name, canvas="full")
    return Place(first, layer, tuple(range(layer.units)), section, whole_input(layer, (64, 64)))


def test_every_picture_has_the_probability_of_its_class_in_the_second_model() -> None:
    first, second = model("first", 0.3, 1.0), model("second", 0.5, 0.25)
    shown = [pictures(count=40, seed=3, split="test")[index] for index in range(40)]
    pixels = np.stack([np.asarray(picture, np.float32).transpose(2, 0, 1) for picture, _ in shown])
    classes = [label for _, label in shown]
    found = recognised(second, pixels - 255 * 0.3, outputs_of(first), classes)
    for index, (picture, label) in enumerate(zip(pixels, classes, strict=True)):
        with torch.inference_mode():
            answer = second.network((torch.from_numpy(picture)[None] / 255 - 0.5) / 0.25)[0].double().numpy()
        odds = np.exp(answer - answer.max())
        np.testing.assert_allclose(found["probability"][index], odds[label] / odds.sum(), rtol=1e-3, atol=1e-6)
        assert found["agreement"][index] == (answer.argmax() == label)
    assert found["agreement"].mean() > 0.8  # it was trained on such pictures


def test_nobody_asked_is_not_known() -> None:
    first = model("first", 0.5, 0.25)
    found = recognised(None, np.zeros((3, 3, 64, 64), np.float32), outputs_of(first), [0, 1, 2])
    assert {name: np.isnan(values).sum() for name, values in found.items()} == {"probability": 3, "agreement": 3}
