"""Bridges: small trainable adapters from the student's shape to the teacher's, dropped after training."""

from limbeck.objectives.bridges.modules import Bridge, bridge
from limbeck.objectives.bridges.plan import plan

__all__ = ["Bridge", "bridge", "plan"]
