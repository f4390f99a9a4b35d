"""Plays scenarios against real trees of real actors under a virtual clock."""

from .model import Played, Script

__all__ = ["play"]


def play(script: Script) -> Played:
    """Do all steps of *script*, as far as they can be done."""
    return Played([], "there is no runtime yet")
