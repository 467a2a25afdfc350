"""torch.optim without an import of torch's compiler, which takes two to three seconds.

Optimizer marks some of its methods as not to be compiled, and imports torch._dynamo for it when one
is called first. Where nothing is compiled the marks say nothing.
"""

import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.optim import Optimizer

_MARKED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
_MARK = "__dynamo_disable"
"""Where torch._compile keeps a method once it is marked."""


def spare_compiler() -> None:
    """Comes before the first optimizer is made; changes nothing where the compiler is there.

    A torch that keeps its marks elsewhere imports its compiler as before.
    """
    if "torch._dynamo" in sys.modules:
        return
    from torch.optim import Optimizer

    for name in _MARKED:
        method = getattr(getattr(Optimizer, name), "__wrapped__", None)
        if method is not None and not hasattr(method, _MARK):
            setattr(method, _MARK, method)


def optimizer_step(optimizer: "Optimizer", *closure: Callable[[], Any]) -> Any:
    """`optimizer.step(*closure)`, without the hooks around it."""
    import torch

    plain = inspect.unwrap(type(optimizer).step)
    with torch.no_grad():
        return plain(optimizer, *closure)
