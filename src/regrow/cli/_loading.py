"""Loading the tree that a command is about, or saying why there is none."""

from __future__ import annotations

import sys
import traceback
from typing import Final

from regrow import SpecError

from ._target import BadTargetError, Tree, load_tree

__all__ = ["BAD_USAGE", "load_for", "say"]

BAD_USAGE: Final = 2


def load_for(command: str, target: str) -> Tree | None:
    """Give the tree that *target* names; say on stderr why there is none.

    Raises:
        SpecError: The tree is declared wrongly.
    """
    try:
        return load_tree(target)
    except SpecError:
        raise
    except BadTargetError as error:
        say(command, str(error))
    except Exception:  # noqa: BLE001 - the user's own code; its traceback says the rest
        traceback.print_exc()
        say(command, f"loading {target} failed")
    return None


def say(command: str, message: str) -> None:
    """Print why a command does not do what it was told, on stderr."""
    sys.stderr.write(f"regrow {command}: {message}\n")
