"""`devices`: the device profiles that a recipe may name, with their limits and where those come from."""

from limbeck import profiles
from limbeck.profiles import Profile


def devices() -> list[Profile]:
    """Profiles that ship with Limbeck, by name.

    Example:
        >>> [device.name for device in devices() if device.runtime == "c"]
        ['camera', 'thermostat']
    """
    return [profiles.named(name) for name in profiles.names()]
