"""The table "predictions" -> the answers to the labelled pictures, as arrays."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from audit.checks.evidence import Evidence
from audit.errors import without_labels


@dataclass(frozen=True)
class Answers:
    """What the model said of pictures. One whose outputs are not finite is never right, and has a NaN confidence."""

    image: Int[np.ndarray, " picture"]
    label: Int[np.ndarray, " picture"]
    predicted: Int[np.ndarray, " picture"]
    confidence: Float[np.ndarray, " picture"]
    rank: Int[np.ndarray, " picture"]

    def __len__(self) -> int:
        return len(self.image)

    @property
    def right(self) -> Bool[np.ndarray, " picture"]:
        """Whether the label is the strongest output."""
        return np.asarray((self.predicted == self.label) & np.isfinite(self.confidence))

    def of(self, chosen: Bool[np.ndarray, " picture"]) -> "Answers":
        """Those of some of the pictures."""
        return Answers(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def answers(evidence: Evidence) -> Answers:
    """To every picture."""
    columns = evidence.table("predictions").columns
    return Answers(*(columns[name] for name in Answers.__dataclass_fields__))


def labelled_answers(evidence: Evidence) -> Answers:
    """To the pictures with a label; NotApplicable if there is none."""
    every = answers(evidence)
    if not (every.label >= 0).any():
        raise without_labels()
    return every.of(every.label >= 0)


def output_name(labels: tuple[str, ...], output: int) -> str:
    """What people call an output: its label, else its index."""
    return f'"{labels[output]}"' if 0 <= output < len(labels) else f"output {output}"
