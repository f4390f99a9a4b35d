"""The commands: a light module each, which only knows the arguments.

What a command does is imported when it is started: help must be quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from . import check, ctl, demo, run, show, top

if TYPE_CHECKING:
    import argparse

    # It has no public name.
    Commands: TypeAlias = (
        argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    )

__all__ = ["add_all"]


def add_all(commands: Commands) -> None:
    """Add every command."""
    run.add(commands)
    demo.add(commands)
    check.add(commands)
    show.add(commands)
    top.add(commands)
    ctl.add(commands)
