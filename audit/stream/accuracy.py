"""Outputs and labels -> top-1 and top-5 accuracy."""

from collections.abc import Mapping

import torch
from jaxtyping import Int
from torch import Tensor

from audit.errors import Unavailable
from audit.records import Numbers
from audit.stream.reducer import Activations


class Accuracy:
    """Counts labelled images whose label is the strongest output, and is among the five strongest."""

    def __init__(self, labels: Mapping[int, int]) -> None:
        self.labels = labels
        self.images = 0
        self.top1: Int[Tensor, ""] | int = 0
        self.top5: Int[Tensor, ""] | int = 0

    def update(self, batch: Activations) -> None:
        rows = [row for row, image in enumerate(batch.images.tolist()) if image in self.labels]
        if not rows:
            return
        outputs = batch.maps.flatten(1)[rows]
        truth = torch.tensor([self.labels[int(batch.images[row])] for row in rows], device=outputs.device)
        best = outputs.topk(min(5, outputs.shape[1]), dim=1).indices
        readable = outputs.isfinite().all(dim=1)  # NaN outputs sort anywhere: they are never right
        self.images += len(rows)
        self.top1 = self.top1 + ((best[:, 0] == truth) & readable).sum()
        self.top5 = self.top5 + ((best == truth[:, None]).any(dim=1) & readable).sum()

    def merge(self, other: "Accuracy") -> None:
        self.images += other.images
        self.top1 = self.top1 + other.top1
        self.top5 = self.top5 + other.top5

    def compute(self, layer: str) -> Numbers:
        if self.images == 0:
            raise Unavailable("no image has a label")
        share = {"top1": int(self.top1) / self.images, "top5": int(self.top5) / self.images}
        return Numbers({"labelled_images": float(self.images), **share})
