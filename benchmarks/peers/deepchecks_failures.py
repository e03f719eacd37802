"""Which checks of deepchecks' vision suites fail by their own conditions: `python deepchecks_failures.py OUT JOBS`.

JOBS is a JSON list of {"id", "images", "answers", "reference_images", "reference_answers", "suites"}: images are .npy
files of uint8 (picture, y, x, channel), answers .npz files with `label` (picture,) and `probability` (picture, class).
The reference takes the place of the training data. OUT gets a JSON object: id -> names of failing checks. Needs
deepchecks[vision] and nothing of the audited program.
"""

import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

warnings.simplefilter("ignore")

import numpy as np  # noqa: E402
from deepchecks.vision import BatchOutputFormat, VisionData  # noqa: E402
from deepchecks.vision.suites import data_integrity, model_evaluation, train_test_validation  # noqa: E402

SUITES = {"integrity": data_integrity, "validation": train_test_validation, "evaluation": model_evaluation}
BATCH = 50


def main() -> None:
    """Runs the suites of each job, one after another; a breakdown is a failure too."""
    out, jobs = map(Path, sys.argv[1:])
    found: dict[str, list[str]] = {}
    for job in json.loads(jobs.read_text()):
        try:
            found[job["id"]] = failing(job)
        except Exception as error:
            found[job["id"]] = [f"broke down: {type(error).__name__}: {str(error)[:100]}"]
    out.write_text(json.dumps(found, indent=1))


def failing(job: dict[str, str]) -> list[str]:
    """The names of the checks whose conditions are not met."""
    names: list[str] = []
    for suite in job["suites"]:
        train = data(job["reference_images"], job["reference_answers"])
        test = data(job["images"], job["answers"])
        result = SUITES[suite]().run(train_dataset=train, test_dataset=test, max_samples=None, with_display=False)
        names += [failed.get_header() for failed in result.get_not_passed_checks(fail_if_warning=False)]
    return names


def data(images: str, answers: str) -> VisionData:
    """Pictures, labels and predictions as deepchecks wants them."""
    shown, said = np.load(images), np.load(answers)
    classes = {index: str(index) for index in range(said["probability"].shape[1])}
    return VisionData(
        batches(shown, said["label"], said["probability"]),
        task_type="classification",
        label_map=classes,
        reshuffle_data=False,
    )


def batches(shown: np.ndarray, label: np.ndarray, probability: np.ndarray) -> Iterator[BatchOutputFormat]:
    for start in range(0, len(shown), BATCH):
        part = slice(start, start + BATCH)
        yield BatchOutputFormat(
            images=list(shown[part]), labels=label[part].tolist(), predictions=probability[part].tolist()
        )


if __name__ == "__main__":
    main()
