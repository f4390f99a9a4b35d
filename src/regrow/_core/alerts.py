"""How often places are restarted, and when that is too often to be left unsaid."""

import math
from collections import deque

from attrs import define, field

__all__ = ["RestartRates"]

MINUTE = 60.0  # seconds over which a rate is taken


@define(eq=False)
class RestartRates:
    """The restarts of a tree's places in the last minute.

    Attributes:
        limit: Restarts a minute from which on it is told, once until it is less again.
    """

    limit: float
    _restarts: dict[str, deque[float]] = field(
        factory=dict[str, deque[float]], init=False
    )
    _told: set[str] = field(factory=set[str], init=False)

    def record(self, path: str, now: float) -> float | None:
        """Count a restart of the place at *path*.

        Returns:
            Its restarts in the last minute, this one included, if that has just come to
            the limit; else `None`.
        """
        times = self._restarts.get(path)
        if times is None:
            if len(self._restarts) >= MANY:
                self._forget(now)
            times = self._restarts[path] = deque(maxlen=math.ceil(self.limit))
        while times and now - times[0] > MINUTE:
            times.popleft()
        if len(times) < self.limit - 1:
            self._told.discard(path)
        times.append(now)
        if len(times) < self.limit or path in self._told:
            return None
        self._told.add(path)
        return float(len(times))

    def _forget(self, now: float) -> None:
        """Forget the places that were not restarted for a minute."""
        old = [
            path for path, times in self._restarts.items() if now - times[-1] > MINUTE
        ]
        for path in old:
            del self._restarts[path]
            self._told.discard(path)


MANY = 1000  # places that are remembered before the quiet ones are forgotten
