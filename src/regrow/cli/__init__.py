"""The `regrow` command. Heavy imports are inside the commands: help must be quick."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Final, cast

from ._commands import add_all

__all__ = ["main"]

_INTERRUPTED: Final = 130  # as shells count: 128, and the number of the signal


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give its exit code.

    Raises:
        SystemExit: The arguments are bad (code 2), or help was asked for (code 0).
    """
    options = _parser().parse_args(arguments)
    start = cast("Callable[[argparse.Namespace], int]", options.start)
    try:
        return start(options)
    except KeyboardInterrupt:
        # Nothing was running that could be stopped in order.
        return _INTERRUPTED


class _Parser(argparse.ArgumentParser):
    """Has each command refuse by itself what it does not know.

    argparse leaves that to the outermost parser, whose usage names no command's options.
    """

    def parse_known_args(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]  # as it is called
        self,
        args: Sequence[str] | None = None,
        namespace: argparse.Namespace | None = None,
    ) -> tuple[argparse.Namespace, list[str]]:
        known, others = super().parse_known_args(
            args, namespace or argparse.Namespace()
        )
        if others:
            self.error(
                f"unrecognized arguments: {' '.join(others)}; {self.prog} --help tells "
                "those that there are"
            )
        return known, others


def _parser() -> argparse.ArgumentParser:
    parser = cast(  # which has no say in the class of the commands' parsers
        "argparse.ArgumentParser",
        _Parser(prog="regrow", description="Actors and supervision trees for trio."),
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_all(commands)
    return parser
