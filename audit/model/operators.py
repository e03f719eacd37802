"""Every operator or function of torch that is executed inside a `with` -> one place that runs it or something else."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

Pair = tuple[int, int]  # y, x


class Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees the operators below autograd, whoever calls them: modules, functions, the backward pass."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @abstractmethod
    def execute(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of `operator`; called instead of it."""

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return self.execute(func, args, kwargs or {})

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Otherwise torch imports its compiler at the first operator, which takes seconds, only to keep it out."""
        return False


class Followed(Operators):  # type: ignore[no-untyped-call]
    """Hands every operator, with its arguments, to `follow`, which runs it and returns the result."""

    def __init__(self, follow: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]):
        super().__init__()
        self._follow = follow

    def execute(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._follow(operator, args, kwargs)


class Functions(TorchFunctionMode):
    """Hands every function of torch that Python calls inside, with its arguments, to `called`, which gives the result.

    Of nested ones the innermost hears first, and what its `called` calls goes on to the next.
    """

    def __init__(self, called: Callable[[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]], Any]):
        super().__init__()
        self._called = called

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return self._called(func, args, kwargs or {})


def arguments(operator: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of an operator by their names in its schema, defaults filled in."""
    schema = operator._schema.arguments
    given = dict(zip((argument.name for argument in schema), args, strict=False)) | dict(kwargs)
    return {argument.name: argument.default_value for argument in schema} | given


def tensors(values: object) -> Iterable[Tensor]:
    """Every tensor in nested tuples, lists and mappings, in their order."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, (tuple, list)):
        for value in values:
            yield from tensors(value)
    elif isinstance(values, Mapping):
        yield from tensors(list(values.values()))


def pair(lengths: int | Sequence[int]) -> Pair:
    """An int, or a sequence of one or two, as torch takes them."""
    values = tuple(lengths) if isinstance(lengths, Sequence) else (lengths,)
    return values[0], values[-1]
