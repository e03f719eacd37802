"""A row per picture against plain loops; accuracy against a count of the strongest outputs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import Unavailable
from audit.records import Table
from audit.stream.predictions import Predictions, accuracy
from tests.stream.feeding import SEEDS, SIZES, fed, merged, same

LABELS = {image: image * 5 % 7 for image in range(60) if image % 4}


def logits(images: int = 23, classes: int = 7, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(images, classes, 1, 1))).float() * 3


def table(outputs: torch.Tensor, labels: dict[int, int] = LABELS, *sizes: int) -> Table:
    return fed(Predictions(labels), outputs, *sizes).compute("fc")


def column(outputs: torch.Tensor, name: str, labels: dict[int, int] = LABELS) -> list[float]:
    return list(table(outputs, labels).columns[name].tolist())


def test_every_row_equals_its_definition() -> None:
    outputs = logits()
    found = table(outputs, LABELS, 5, 1, 17).columns
    for image in range(23):
        row = outputs[image].double().numpy().ravel()
        probability = np.exp(row) / np.exp(row).sum()
        ranked = sorted(row, reverse=True)
        label = LABELS.get(image, -1)
        assert (found["image"][image], found["label"][image]) == (image, label)
        assert found["predicted"][image] == row.argmax()
        assert found["confidence"][image] == pytest.approx(probability.max())
        assert found["margin"][image] == pytest.approx(ranked[0] - ranked[1])
        assert found["rank"][image] == (ranked.index(row[label]) if label >= 0 else -1)
        expected = -np.log(probability[label]) if label >= 0 else np.nan
        assert found["loss"][image] == pytest.approx(expected, nan_ok=True)


def test_probabilities_are_not_made_probabilities_twice() -> None:
    outputs = logits()
    plain, done = table(outputs), table(outputs.double().softmax(dim=1))
    for name in ("confidence", "loss"):
        np.testing.assert_allclose(done.columns[name], plain.columns[name], rtol=1e-9)
    assert table(outputs.double().log_softmax(dim=1)).columns["confidence"].tolist() == pytest.approx(
        plain.columns["confidence"].tolist()
    )


def test_what_only_looks_like_probabilities_in_part_is_not() -> None:
    negative = torch.tensor([1.5, -0.5, 0.0])[None, :, None, None]
    assert column(negative, "confidence") == pytest.approx([float(negative.flatten().softmax(0)[0])])


def test_a_certain_and_wrong_probability_has_infinite_loss() -> None:
    assert column(torch.eye(3)[[0], :, None, None], "loss", {0: 2}) == [np.inf]


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_outputs_that_are_not_finite_are_never_right(bad: float) -> None:
    outputs = logits(3)
    outputs[1, 4] = bad
    labels = {0: int(outputs[0].argmax()), 1: 4, 2: int(outputs[2].argmin())}
    found = table(outputs, labels)
    assert found.columns["predicted"].tolist()[1] == -1
    assert found.columns["rank"].tolist() == [0, 7, 6]
    for name in ("confidence", "loss", "margin"):
        assert np.isnan(found.columns[name]).tolist() == [False, True, False]
    assert accuracy(found).values["top1"] == pytest.approx(1 / 3)


def test_of_equal_outputs_the_first_is_predicted() -> None:
    outputs = torch.ones(3, 4, 1, 1)
    labels = {0: 0, 1: 2, 2: 3}
    assert column(outputs, "predicted", labels) == [0, 0, 0]
    assert column(outputs, "rank", labels) == [0, 2, 3]


def test_a_label_that_is_no_output_is_never_right() -> None:
    found = table(logits(2, 3), {0: 3, 1: 0})
    assert found.columns["rank"][0] == 3
    assert np.isnan(found.columns["loss"][0])
    assert accuracy(found).values["top5"] == 0.5


def test_a_single_output_has_no_margin() -> None:
    found = table(logits(2, 1), {0: 0})
    assert np.isnan(found.columns["margin"]).all()
    assert found.columns["confidence"].tolist() == [1, 1]


@given(st.integers(1, 12), SEEDS, st.booleans())
@settings(deadline=None, max_examples=20)
def test_accuracy_equals_a_count_of_the_strongest_outputs(classes: int, seed: int, broken: bool) -> None:
    outputs = logits(23, classes, seed)
    labels = {image: image % classes for image in range(0, 23, 2)}
    if broken:
        outputs[4, 0] = torch.nan
    readable = {image: label for image, label in labels.items() if bool(outputs[image].isfinite().all())}
    best = outputs.flatten(1).topk(min(5, classes), dim=1).indices.tolist()
    expected = {
        "labelled_images": 12,
        "top1": sum(best[image][0] == label for image, label in readable.items()) / 12,
        "top5": sum(label in best[image] for image, label in readable.items()) / 12,
    }
    assert accuracy(table(outputs, labels)).values == pytest.approx(expected)


def test_without_labels_accuracy_is_unavailable_and_predictions_are_not() -> None:
    found = table(logits(), {})
    assert found.columns["label"].tolist() == [-1] * 23
    assert np.isfinite(found.columns["confidence"]).all()
    with pytest.raises(Unavailable, match="label"):
        accuracy(found)


def test_nothing_shown_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="no picture"):
        Predictions({}).compute("fc")


@given(SIZES, SEEDS)
@settings(deadline=None, max_examples=20)
def test_any_split_equals_all_at_once(sizes: list[int], seed: int) -> None:
    outputs = logits(sum(sizes), seed=seed)
    whole = table(outputs)
    same(table(outputs, LABELS, *sizes), whole, 1e-12)
    same(merged(lambda: Predictions(LABELS), outputs, sizes).compute("fc"), table(outputs, LABELS, *sizes))


def test_rows_are_in_the_order_of_the_images() -> None:
    outputs = logits(8)
    reducer = fed(Predictions(LABELS), outputs[4:], first=4)
    reducer.merge(fed(Predictions(LABELS), outputs[:4]))
    same(reducer.compute("fc"), table(outputs), 1e-12)


def test_a_picture_costs_forty_bytes() -> None:
    reducer = fed(Predictions(LABELS), logits(20, 50), 10, 10)
    assert sum(part.nbytes for part in (*reducer.counts, *reducer.amounts)) == 20 * 40


@pytest.mark.cuda
def test_cuda_predicts_what_the_cpu_does() -> None:
    outputs = logits()
    same(fed(Predictions(LABELS), outputs.cuda(), 7, 16).compute("fc"), table(outputs), 1e-9)
