"""A block that ends on a crash does not hide that the root's limit is spent by it."""

import pytest
import trio

from regrow import (
    Actor,
    ActorCrashedError,
    RestartLimitExceededError,
    child,
    open_tree,
    supervisor,
)


class Worker(Actor):
    """Crashes when it is told to."""

    def crash(self) -> None:
        """Crash."""
        raise ValueError


@pytest.mark.parametrize("caught", [False, True])
def test_the_spent_limit_comes_out_whichever_is_taken_up_first(*, caught: bool) -> None:
    """Trio takes the tasks of one moment in any order: try it often."""

    async def main() -> None:
        worker = child(Worker)
        async with open_tree(supervisor("app", worker, intensity=0)) as tree:
            try:
                await tree[worker].call(Worker.crash)
            except ActorCrashedError:
                if not caught:
                    raise

    for _ in range(50):
        with pytest.raises(RestartLimitExceededError) as caught_error:
            trio.run(main)
        assert caught_error.value.path == "app"
        assert isinstance(caught_error.value.__cause__, ValueError)
