"""A forward pass -> the name and the output of every layer, the moment it exists; the network is left as it was."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, MutableMapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from audit.errors import Unavailable, nearest
from audit.model.operators import Functions
from audit.model.parts import main_last, parts_of, path_of

ACTIVATIONS = frozenset(
    {"relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "selu", "celu", "gelu", "silu", "mish", "glu"}
    | {"hardswish", "hardsigmoid", "hardtanh", "hardshrink", "softshrink", "tanhshrink", "threshold"}
    | {"sigmoid", "logsigmoid", "tanh", "softplus", "softsign", "softmin", "softmax", "log_softmax"}
)
NORMALISATIONS = frozenset(
    {"batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm", "local_response_norm"}
)
JOINS = frozenset({"cat", "concat", "concatenate"})


@dataclass(frozen=True)
class _Rectified:
    """What a tensor of that version was before its ReLU, or its ReLUs; `cuts` are their numbers in the run."""

    version: int
    before: Tensor
    cuts: frozenset[int]


@dataclass(frozen=True)
class Call:
    """One tensor that a layer returned: `output`, and `before`, the same before a ReLU cut it off (or None).

    `module` is None for a functional activation; `kind` is the module's class or the function's name.
    """

    name: str
    kind: str
    module: nn.Module | None
    inputs: tuple[object, ...]
    output: Tensor
    before: Tensor | None


E = TypeVar("E", bound="Execution")


class Execution:
    """Names what a network executes; the one place where names are made. Subclasses hear of it by their methods.

    A module's call has the module's path, a functional activation the path of the module that calls it and its own
    name ("layer1.0.relu", at the root "relu"; "layer1.0.functional_relu" where a module has the first name). Later
    calls of a name end in #2, #3. Functions inside torch.nn's own leaves are no layers: nn.ReLU is already one. Of a
    tuple, dict or dataclass each tensor is a layer: "block:0", "output:logits", "decoder#2:past:1".
    """

    def __init__(self, network: nn.Module, modules: Collection[str] | None = None, *, functions: bool = True):
        """Follows the `modules` (paths; None: all), or with `functions` all of them and the functional activations."""
        self._network = network
        self._root = root_name(network)
        self._paths = {module: path or self._root for path, module in network.named_modules()}
        self._names = frozenset(self._paths.values())
        self._followed = self._names if functions or modules is None else frozenset(modules)
        self._functions = functions
        self._hooks = ExitStack()
        self._kept: frozenset[int] | None = None  # the ReLUs whose inputs are kept, by number; None: all
        self._forget()

    def reached(self, call: Call) -> None:
        """A layer's output exists; raising `Stop` ends the forward pass here."""

    def returned_parts(self, name: str, output: object, parts: Collection[str]) -> None:
        """The layer `name` returned no tensor, but several, of these names; called before `reached` is for each."""

    def rectifies(self, name: str, value: Tensor) -> None:
        """The layer `name` is about to cut `value` off at zero."""

    def normalised(self, value: Tensor, result: Tensor) -> None:
        """`result` is `value` after a normalisation."""

    def __enter__(self: E) -> E:
        for module, path in self._paths.items():
            if path in self._followed:
                self._hooks.callback(module.register_forward_pre_hook(self._enter).remove)
                self._hooks.callback(module.register_forward_hook(self._leave).remove)
        return self

    def __exit__(self, *_: object) -> None:
        self._hooks.close()

    def run(self, images: Float[Tensor, "image channel y x"]) -> None:
        """One forward pass, up to the layer that stops it."""
        self._forget()
        try:
            with Functions(self._called) if self._functions else nullcontext():
                self._network(images)
        except Stop:
            pass
        finally:
            self._forget()

    def _forget(self) -> None:
        self._calls: Counter[str] = Counter()
        self._open: list[tuple[str, nn.Module]] = []
        self._rectified: MutableMapping[Tensor, _Rectified] = WeakTensorKeyDictionary()
        self._cuts = 0
        self._quiet = False

    def _enter(self, module: nn.Module, _: tuple[object, ...]) -> None:
        self._open.append((self._numbered(self._paths[module]), module))

    def _leave(self, module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        name, _ = self._open.pop()
        parts = dict(parts_of(name, output))
        self._quiet = True  # what a listener computes is no part of the network
        if not isinstance(output, Tensor):
            self.returned_parts(name, output, parts)
        for part in main_last(parts) if module is self._network else parts:
            value = parts[part]
            self.reached(Call(part, type(module).__name__, module, inputs, value, self._before_of(value)))
        self._quiet = False

    def _numbered(self, name: str) -> str:
        self._calls[name] += 1
        return name if self._calls[name] == 1 else f"{name}#{self._calls[name]}"

    def _called(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        title = getattr(function, "__name__", "").rstrip("_")
        if self._quiet:
            return function(*args, **kwargs)
        if title in ACTIVATIONS:
            return self._activated(title, function, args, kwargs)
        result = function(*args, **kwargs)
        if title in JOINS:
            self._joined(function, args, kwargs, result)
        elif title in NORMALISATIONS and isinstance(result, Tensor):
            self.normalised(_first(args, kwargs), result)
        return result

    def _activated(
        self, title: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        value, inside = _first(args, kwargs), self._open[-1] if self._open else (self._root, self._network)
        is_layer = not _torch_leaf(inside[1])
        name = self._numbered(self._functional(inside[1], title)) if is_layer else inside[0]
        before = None
        if _is_rectifier(title, args, kwargs):
            self.rectifies(name, value)
            self._cuts += 1
            if self._kept is None or self._cuts in self._kept:
                before = value.clone() if _in_place(function, args, kwargs) else value
        result = function(*args, **kwargs)
        if before is not None:
            self._rectified[result] = _Rectified(version(result), before, frozenset({self._cuts}))
        if is_layer:
            self.reached(Call(name, title, None, (value,), result, before))
        return result

    def _functional(self, inside: nn.Module, title: str) -> str:
        scope = "" if inside is self._network else self._paths[inside] + "."
        return scope + title if scope + title not in self._names else f"{scope}functional_{title}"

    def _joined(
        self, join: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor
    ) -> None:
        """Rectified parts joined are rectified: the output of a Fire block, of an Inception block."""
        parts = args[0] if args else kwargs.get("tensors", ())
        rectified = [known for part in parts if (known := self._rectified_of(part)) is not None]
        if parts and len(rectified) == len(parts):
            others = {key: value for key, value in kwargs.items() if key != "tensors"}
            before = join([part.before for part in rectified], *args[1:], **others)
            cuts = frozenset().union(*(part.cuts for part in rectified))
            self._rectified[result] = _Rectified(version(result), before, cuts)

    def _before_of(self, value: Tensor) -> Tensor | None:
        """What `value` was before its ReLU, unless it was changed since."""
        known = self._rectified_of(value)
        return None if known is None else known.before

    def _rectified_of(self, value: Tensor) -> _Rectified | None:
        known = self._rectified.get(value)
        return known if known is not None and known.version == version(value) else None


class Observer(Execution):
    """Shows named layers while the network runs, and runs it no further than the last of them.

    `visit(name, output)` is called the moment the output exists, in the order of execution, with the raw tensor: an
    in-place ReLU may change it after `visit` returns, so keep a copy, or what was computed from it. With
    `before_rectifier` a layer whose output a ReLU made (a ReLU, a block that ends in one, a concatenation of such) is
    visited with its value before the ReLU, through which a unit that is off still has a gradient (Yosinski's toolbox
    back-propagates from there).

        with Observer(network, ["conv1"], visit) as observer:
            observer.run(images)
    """

    def __init__(
        self,
        network: nn.Module,
        names: Collection[str],
        visit: Callable[[str, Tensor], None],
        *,
        before_rectifier: bool = False,
    ):
        modules = dict(network.named_modules())
        modules[root_name(network)] = network
        paths = {path_of(name, modules) for name in names}
        functional = not paths <= modules.keys()
        rectified = before_rectifier and any(_may_end_rectified(modules[path]) for path in paths & modules.keys())
        super().__init__(network, paths, functions=functional or rectified)
        self._asked = frozenset(names)
        self._pending: set[str] = set()
        self._visit = visit
        self._before_rectifier = before_rectifier
        self._kept = None if before_rectifier else frozenset()
        self._needed: dict[str, frozenset[int]] = {}  # the layers that were seen before these ReLUs

    def run(self, images: Float[Tensor, "image channel y x"]) -> None:
        """Runs the network on `images` up to the last named layer.

        Raises Unavailable if a named layer is not executed, or returns several tensors and none was chosen.
        """
        self._pending = set(self._asked)
        if self._pending:
            super().run(images)
        if self._pending:
            raise Unavailable("; ".join(map(self._unmet, sorted(self._pending))))
        self._kept = frozenset().union(*self._needed.values())  # the first run keeps the input of every ReLU

    def reached(self, call: Call) -> None:
        if call.name not in self._pending:
            return
        rectified = self._rectified_of(call.output) if self._before_rectifier else None
        cuts = frozenset() if rectified is None else rectified.cuts
        if self._needed.setdefault(call.name, cuts) != cuts:
            raise Unavailable(
                f'layer "{call.name}" is rectified elsewhere from run to run, so not seen before its ReLU'
            )
        self._visit(call.name, call.output if rectified is None else rectified.before)
        self._pending.discard(call.name)
        if not self._pending:
            raise Stop

    def returned_parts(self, name: str, output: object, parts: Collection[str]) -> None:
        if name in self._pending:
            there_is = f"there is: {', '.join(parts)}" if parts else "nor any tensor in it"
            raise Unavailable(f'layer "{name}" returns a {type(output).__name__}, not a tensor; {there_is}')

    def _unmet(self, name: str) -> str:
        there_is = [path for path in self._names if path != name]
        return f'layer "{name}" is not executed by {type(self._network).__name__}{nearest(name, sorted(there_is))}'


class Stop(BaseException):  # no error, and out of reach of a network's own `except Exception`
    """Ends a forward pass whose rest nobody needs."""


def root_name(network: nn.Module) -> str:
    """The name of the network's own output, where no layer inside it has it."""
    children = {path for path, _ in network.named_modules()}
    return next(name for name in ("output", "network", "network.output") if name not in children)


def version(value: Tensor) -> int:
    """Changes whenever the tensor is changed in place."""
    return 0 if value.is_inference() else value._version


def _torch_leaf(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.nn.") and next(module.children(), None) is None


def _may_end_rectified(module: nn.Module) -> bool:
    """False only for torch's own layers with weights, whose output no ReLU made: convolutions, linear, norms."""
    return not _torch_leaf(module) or next(module.parameters(recurse=False), None) is None


def _is_rectifier(title: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    low = args[1] if len(args) > 1 else kwargs.get("min_val", -1.0)
    return title in ("relu", "relu6") or (title == "hardtanh" and low >= 0)


def _in_place(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    named_so = function.__name__.endswith("_")
    return named_so or bool(kwargs.get("inplace")) or any(value is True for value in args[1:])


def _first(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    value: Tensor = args[0] if args else kwargs["input"]
    return value
