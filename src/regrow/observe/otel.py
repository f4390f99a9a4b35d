"""Traces by OpenTelemetry, with the extra `regrow[otel]`: a span for each handled message.

The sender's context travels with the message, so a call or cast that is made inside a span
gives the handler a span below that one, and what the handler sends goes below its own. It
needs opentelemetry-api alone; where the spans go is for the program's SDK to say. A tree
that is not instrumented pays nothing for it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import trio

from regrow._runtime.following import follow, unfollow
from regrow._runtime.signals import Shutdown
from regrow._runtime.tree import running_of
from regrow._runtime.user import only
from regrow.errors import MissingExtraError

try:
    from opentelemetry import context as context_api, trace
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanKind, Status, StatusCode
except ModuleNotFoundError as _missing:
    if (_missing.name or "").partition(".")[0] != "opentelemetry":
        raise
    _EXTRA = "otel"
    raise MissingExtraError(_EXTRA, "opentelemetry") from _missing

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    from opentelemetry.trace import Tracer, TracerProvider

    from regrow._runtime.following import Handled
    from regrow._runtime.tree import Tree

__all__ = ["Instrumentation", "instrument"]


class Instrumentation:
    """What `instrument` gives: spans are made until it is undone."""

    def __init__(self, tree: Tree, tracer: Tracer) -> None:
        """For `instrument`."""
        self._host = running_of(tree).host
        self._spans = _Spans(tracer)
        follow(self._host, self._spans)

    def uninstrument(self) -> None:
        """Make no more spans; those of messages in hand are ended. Nothing if done before."""
        unfollow(self._host, self._spans)

    def __enter__(self) -> Instrumentation:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.uninstrument()


def instrument(
    tree: Tree, *, tracer_provider: TracerProvider | None = None
) -> Instrumentation:
    """Make a span for every message that the actors of *tree* handle from now on.

    A span is named `Class.method`, of kind CONSUMER for a cast and SERVER for a call, below
    the span that the message was sent in. Its attributes are `regrow.path`,
    `regrow.incarnation` and `regrow.message` (`call`, `cast` or `timer`). An exception that
    crashes the actor is recorded and makes it an error; one that the method names with
    `@raises` is recorded alone, as it is an answer. A message of `send_after` or
    `send_every` begins a trace of its own. Messages that wait already have no span.

    Args:
        tree: A running tree.
        tracer_provider: Where the tracer comes from; the global one unless given.

    Returns:
        What undoes it by `uninstrument()`, or at the end of a `with` block.
    """
    tracer = trace.get_tracer("regrow", tracer_provider=tracer_provider)
    return Instrumentation(tree, tracer)


class _Spans:
    """The follower that makes them."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def sent(self) -> Context:
        """Note the sender's context."""
        return context_api.get_current()

    @contextmanager
    def handling(self, message: Handled, note: object) -> Generator[None]:
        """Make the span, current while the message is handled."""
        sender = Context() if message.from_timer else cast("Context", note)
        kind = "timer" if message.from_timer else "call" if message.is_call else "cast"
        span = self._tracer.start_span(
            message.method,
            context=sender,
            kind=SpanKind.SERVER if message.is_call else SpanKind.CONSUMER,
            attributes={
                "regrow.path": message.place.path,
                "regrow.incarnation": message.incarnation,
                "regrow.message": kind,
            },
            record_exception=False,
            set_status_on_exception=False,
        )
        # The whole of the sender's context goes along, such as baggage. The handler has
        # its own task's context variables otherwise: only OpenTelemetry's is replaced.
        token = context_api.attach(trace.set_span_in_context(span, sender))
        try:
            yield
        except BaseException as error:
            _record(span, error, message)
            raise
        finally:
            context_api.detach(token)
            span.end()


def _record(span: Span, error: BaseException, message: Handled) -> None:
    """Enter what came out of the handler."""
    if only(error, trio.Cancelled):
        span.set_status(Status(StatusCode.ERROR, "was cut off"))
        return
    if only(error, Shutdown):
        return  # an end in order
    span.record_exception(error)
    if not isinstance(error, message.raises):
        text = f"{type(error).__name__}: {error}"
        span.set_status(Status(StatusCode.ERROR, text[:200]))
