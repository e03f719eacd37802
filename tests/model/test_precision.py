"""A network's own precision is found; exact arithmetic ends with its block."""

import torch
from torch import nn

from audit.model.precision import exact_arithmetic, precision


def test_a_networks_precision_is_that_of_its_weights() -> None:
    assert precision(nn.Linear(2, 2).double()) == torch.float64
    assert precision(nn.Linear(2, 2).bfloat16()) == torch.bfloat16
    assert precision(nn.ReLU()) == torch.float32


def test_the_arithmetic_is_exact_inside_and_the_users_own_outside() -> None:
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    try:
        with exact_arithmetic():
            assert torch.backends.cuda.matmul.fp32_precision == "ieee"
            assert torch.backends.cudnn.conv.fp32_precision == "ieee"
            assert torch.backends.cudnn.deterministic
        assert torch.backends.cuda.matmul.fp32_precision == "tf32"
        assert torch.backends.cudnn.conv.fp32_precision != "ieee"
        assert not torch.backends.cudnn.deterministic
    finally:
        torch.backends.cuda.matmul.fp32_precision = "none"
