"""The version, where everything can read it without importing the public surface."""

__version__ = "0.1.0"
