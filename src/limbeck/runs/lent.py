"""What the caller lent, his modules and the process's random generators: given back as it was found."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from limbeck.training.randomness import restore, states


@contextmanager
def lent(*modules: nn.Module) -> Iterator[None]:
    """Restores mode, frozen parameters and device of each module, and all random generators, however the block ends.

    Args:
        *modules: in use within the block.

    Yields:
        Nothing.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).train()
        >>> with lent(net):
        ...     frozen = net.eval().requires_grad_(requires_grad=False)
        >>> net.training, net[0].weight.requires_grad
        (True, True)
    """
    modes = [(each, each.training) for module in modules for each in module.modules()]
    required = [(each, each.requires_grad) for module in modules for each in module.parameters()]
    places = [(module, {each.device for each in module.parameters()}) for module in modules]
    generators = states()
    try:
        yield
    finally:
        restore(generators)
        for module, devices in places:
            if len(devices) == 1:  # one that is spread over devices was not moved as a whole
                module.to(next(iter(devices)))
        for each, training in modes:
            each.training = training
        for parameter, requires in required:
            parameter.requires_grad_(requires)
