"""Outputs and labels -> a row per picture: what was predicted, how surely, and where the label stands; accuracy."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from audit.errors import Unavailable
from audit.records import Numbers, Table
from audit.stream.reducer import Activations, wide

SUM_OF_PROBABILITIES = 1e-3
"""Outputs of a picture that are not negative and sum to one, this closely, are its probabilities already."""

NEVER_RIGHT = -1  # as prediction: outputs that are not finite


class Predictions:
    """40 bytes per picture, kept on the device: the only state that grows with the pictures.

    `labels` are image index -> class; pictures without are given -1.
    """

    def __init__(self, labels: Mapping[int, int]) -> None:
        self.labels = labels
        self.counts: list[Int[Tensor, "image 4"]] = []
        self.amounts: list[Float[Tensor, "image 3"]] = []

    def update(self, batch: Activations) -> None:
        outputs = batch.maps.flatten(1)
        outputs = outputs.to(wide(outputs.device))
        known = torch.tensor([self.labels.get(image, -1) for image in batch.images.tolist()])
        label = known.to(outputs.device, non_blocking=True)
        image = batch.images.to(outputs.device, non_blocking=True)
        readable = outputs.isfinite().all(dim=1)
        likelihood = log_probabilities(outputs)
        predicted = first_largest(outputs).where(readable, NEVER_RIGHT)
        amounts = (_of(likelihood, predicted).exp(), -_of(likelihood, label), _margin(outputs))
        self.counts.append(torch.stack([image, label, predicted, _rank(outputs, label, readable)], dim=1).int())
        self.amounts.append(torch.stack(amounts, dim=1).where(readable[:, None], torch.nan))

    def merge(self, other: "Predictions") -> None:
        self.counts = self.counts + other.counts
        self.amounts = self.amounts + other.amounts

    def compute(self, layer: str) -> Table:
        """The table "predictions", in the order of the images:

        `image`, `label` (-1 if unknown), `predicted` (the first of the strongest outputs), `rank` of the label among
        the outputs (0 is the strongest; of equals the lower output is before the higher), `confidence` (probability of
        the prediction), `loss` (-log of the label's probability, natural), `margin` (strongest output minus the
        second, as the network gives them). Where an output is not finite, `predicted` is -1, `rank` the number of
        outputs and the rest NaN; `rank` is -1 and `loss` NaN without a label. A label that is no output has the number
        of outputs as rank and no loss.
        """
        if not self.counts:
            raise Unavailable("no picture was shown")
        counts = torch.cat(self.counts).cpu().numpy().astype(np.int64)
        amounts = torch.cat(self.amounts).double().cpu().numpy()
        order = np.argsort(counts[:, 0], kind="stable")
        integers = zip(("image", "label", "predicted", "rank"), counts[order].T, strict=True)
        numbers = zip(("confidence", "loss", "margin"), amounts[order].T, strict=True)
        return Table("predictions", dict(integers) | dict(numbers))


def accuracy(predictions: Table) -> Numbers:
    """Labelled pictures, and the shares of them whose label is the strongest output, and among the five strongest.

    Outputs that are not finite are never right. Raises Unavailable if no picture has a label.
    """
    labelled = predictions.columns["label"] >= 0
    if not labelled.any():
        raise Unavailable("no image has a label")
    rank = predictions.columns["rank"][labelled]
    readable = ~np.isnan(predictions.columns["loss"][labelled])
    share = {f"top{best}": float(((rank < best) & readable).mean()) for best in (1, 5)}
    return Numbers({"labelled_images": float(labelled.sum()), **share})


def log_probabilities(outputs: Float[Tensor, "image class"]) -> Float[Tensor, "image class"]:
    """Of outputs that are probabilities already their logarithm, else the log-softmax; picture by picture."""
    are = are_probabilities(outputs)
    return outputs.clamp_min(0).log().where(are[:, None], outputs.log_softmax(dim=1))


def are_probabilities(outputs: Float[Tensor, "image class"]) -> Bool[Tensor, " image"]:
    """Whether the outputs of each picture are not negative and sum to one."""
    return (outputs >= 0).all(dim=1) & ((outputs.sum(dim=1) - 1).abs() < SUM_OF_PROBABILITIES)


def first_largest(outputs: Float[Tensor, "image class"]) -> Int[Tensor, " image"]:
    """Of each row the first of the largest; beyond the end of a row with a NaN, which has none."""
    index = torch.arange(outputs.shape[1], device=outputs.device)
    return index.where(outputs == outputs.amax(dim=1, keepdim=True), outputs.shape[1]).amin(dim=1)


def _of(values: Float[Tensor, "image class"], index: Int[Tensor, " image"]) -> Float[Tensor, " image"]:
    """The value at each row's index; NaN where there is no such column."""
    value = values.gather(1, index.clamp(0, values.shape[1] - 1)[:, None])[:, 0]
    return value.where(_exists(values, index), torch.nan)


def _exists(values: Float[Tensor, "image class"], index: Int[Tensor, " image"]) -> Bool[Tensor, " image"]:
    return (index >= 0) & (index < values.shape[1])


def _rank(
    outputs: Float[Tensor, "image class"], label: Int[Tensor, " image"], readable: Bool[Tensor, " image"]
) -> Int[Tensor, " image"]:
    own = _of(outputs, label)[:, None]
    lower = torch.arange(outputs.shape[1], device=outputs.device) < label[:, None]
    before = ((outputs > own) | ((outputs == own) & lower)).sum(dim=1)
    before = before.where(readable & _exists(outputs, label), outputs.shape[1])
    return before.where(label >= 0, -1)


def _margin(outputs: Float[Tensor, "image class"]) -> Float[Tensor, " image"]:
    if outputs.shape[1] < 2:
        return torch.full_like(outputs[:, 0], torch.nan)
    first, second = outputs.topk(2, dim=1).values.unbind(dim=1)
    return first - second
