"""Device profiles: what a student must fit, one data file a device.

Example:
    >>> from limbeck import profiles
    >>> profiles.named("thermostat").memory_kb
    64.0
    >>> [f.name for f in profiles.check(profiles.named("thermostat"), size_bytes=300 * 1024) if not f.fits]
    ['size_kb']
"""

from limbeck.profiles.check import Finding, check
from limbeck.profiles.profile import Profile, named, names

__all__ = ["Finding", "Profile", "check", "named", "names"]
