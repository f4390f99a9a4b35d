"""Spans of messages, as a collector of the SDK gets them."""

import subprocess
import sys

import pytest
import trio
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, SpanKind, StatusCode

from regrow import Actor, ActorCrashedError, Ref, child, raises, supervisor
from regrow.observe.otel import instrument
from tests.runtime.trees import open_tree, virtual


class Spans:
    def __init__(self) -> None:
        self._kept = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.tracer = self.provider.get_tracer("test")

    @property
    def ended(self) -> tuple[ReadableSpan, ...]:
        return self._kept.get_finished_spans()

    def tree(self) -> dict[str, str]:
        """Give the name of each span's parent, by its own name."""
        names = {id_of(span): span.name for span in self.ended}
        return {
            span.name: "" if span.parent is None else names[span.parent.span_id]
            for span in self.ended
        }


def context_of(span: ReadableSpan) -> SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found


def id_of(span: ReadableSpan) -> int:
    return context_of(span).span_id


def trace_of(span: ReadableSpan) -> int:
    return context_of(span).trace_id


class Store(Actor):
    def put(self, value: int) -> int:
        return value

    async def slow(self, seconds: float) -> None:
        await trio.sleep(seconds)

    def fail(self) -> None:
        raise ValueError("bad header")

    @raises(KeyError)
    def find(self) -> None:
        raise KeyError("nobody")

    def read(self) -> object:
        return baggage.get_baggage("user")

    def tick(self) -> None:
        pass

    def begin_ticks(self) -> None:
        self.send_after(1, Store.tick)


class Clerk(Actor):
    def __init__(self, store: Ref[Store]) -> None:
        self.store = store

    async def serve(self) -> int:
        await self.store.cast(Store.slow, 1)
        return await self.store.call(Store.put, 3)


store = child(Store)
bank = supervisor("bank", store, child(Clerk, store.ref))


@virtual
async def test_a_call_across_two_actors_is_one_trace() -> None:
    spans = Spans()
    async with open_tree(bank) as tree:
        with instrument(tree, tracer_provider=spans.provider):
            with spans.tracer.start_as_current_span("request"):
                assert await tree.ref("bank/clerk", Clerk).call(Clerk.serve) == 3
            await trio.sleep(5)
    assert spans.tree() == {
        "request": "",
        "Clerk.serve": "request",
        "Store.slow": "Clerk.serve",
        "Store.put": "Clerk.serve",
    }
    assert len({trace_of(span) for span in spans.ended}) == 1
    named = {span.name: span for span in spans.ended}
    clerk, slow = named["Clerk.serve"], named["Store.slow"]
    assert dict(clerk.attributes or {}) == {
        "regrow.path": "bank/clerk",
        "regrow.incarnation": 1,
        "regrow.message": "call",
    }
    assert (clerk.kind, slow.kind) == (SpanKind.SERVER, SpanKind.CONSUMER)
    assert (slow.attributes or {})["regrow.message"] == "cast"
    assert {span.status.status_code for span in spans.ended} == {StatusCode.UNSET}
    assert trace.get_current_span() is trace.INVALID_SPAN


@virtual
async def test_without_a_span_around_it_each_message_is_a_trace_of_its_own() -> None:
    spans = Spans()
    async with open_tree(bank) as tree:
        with instrument(tree, tracer_provider=spans.provider):
            for number in range(2):
                await tree[store].call(Store.put, number)
    assert [(span.name, span.parent) for span in spans.ended] == [
        ("Store.put", None)
    ] * 2
    assert len({trace_of(span) for span in spans.ended}) == 2


@virtual
async def test_a_crash_is_recorded_and_an_answer_that_raises_is_no_error() -> None:
    spans = Spans()
    async with open_tree(bank) as tree:
        with instrument(tree, tracer_provider=spans.provider):
            with pytest.raises(ActorCrashedError):
                await tree[store].call(Store.fail)
            with pytest.raises(KeyError):
                await tree[store].call(Store.find)
            await tree[store].call(Store.put, 1)
    crash, answer, after = spans.ended
    assert crash.status.status_code is StatusCode.ERROR
    assert crash.status.description == "ValueError: bad header"
    (event,) = crash.events
    assert event.name == "exception"
    assert (event.attributes or {})["exception.type"] == "ValueError"
    assert "in fail" in str((event.attributes or {})["exception.stacktrace"])
    assert answer.status.status_code is StatusCode.UNSET
    assert [event.name for event in answer.events] == ["exception"]
    assert (after.attributes or {})["regrow.incarnation"] == 2


@virtual
async def test_one_that_is_cut_off_is_an_error_and_is_ended() -> None:
    spans = Spans()
    async with open_tree(supervisor("app", child(Store, shutdown=0))) as tree:
        with instrument(tree, tracer_provider=spans.provider):
            await tree.ref("app/store", Store).cast(Store.slow, 100)
            await trio.sleep(1)
            await tree.supervisor("app").terminate_child("store")
    (span,) = spans.ended
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "was cut off"
    assert span.events == ()


@virtual
async def test_a_timers_message_begins_a_trace() -> None:
    spans = Spans()
    async with open_tree(bank) as tree:
        with instrument(tree, tracer_provider=spans.provider):
            with spans.tracer.start_as_current_span("request"):
                await tree[store].call(Store.begin_ticks)
            await trio.sleep(2)
    assert spans.tree() == {
        "request": "",
        "Store.begin_ticks": "request",
        "Store.tick": "",
    }
    tick = spans.ended[-1]
    assert (tick.attributes or {})["regrow.message"] == "timer"


@virtual
async def test_baggage_comes_along() -> None:
    async with open_tree(bank) as tree:
        with instrument(tree, tracer_provider=Spans().provider):
            token = context.attach(baggage.set_baggage("user", "ada"))
            try:
                assert await tree[store].call(Store.read) == "ada"
            finally:
                context.detach(token)
            assert await tree[store].call(Store.read) is None


@virtual
async def test_undone_it_makes_no_more_and_can_be_done_again() -> None:
    spans = Spans()
    async with open_tree(bank) as tree:
        instrumentation = instrument(tree, tracer_provider=spans.provider)
        await tree[store].call(Store.put, 1)
        await tree[store].cast(Store.slow, 1)
        await trio.sleep(0.5)
        instrumentation.uninstrument()
        instrumentation.uninstrument()
        await tree[store].call(Store.put, 2)
        assert [span.name for span in spans.ended] == ["Store.put", "Store.slow"]
        with instrument(tree, tracer_provider=spans.provider):
            await tree[store].call(Store.put, 3)
        assert len(spans.ended) == 3


@virtual
async def test_without_an_sdk_nothing_changes() -> None:
    async with open_tree(bank) as tree:
        with instrument(tree):
            assert await tree.ref("bank/clerk", Clerk).call(Clerk.serve) == 3


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (
            "import regrow.observe.otel",
            (
                "regrow.errors.MissingExtraError: 'opentelemetry' is not installed, "
                "which regrow.observe.otel needs. Run: pip install 'regrow[otel]'"
            ),
        ),
        ("import regrow, regrow.observe, regrow.cli._run", ""),
    ],
)
def test_the_api_is_needed_only_where_it_is_used(code: str, line: str) -> None:
    hide = (
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'opentelemetry':\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", hide + code], capture_output=True, text=True, check=False
    )
    assert done.stderr.rpartition("\n\n")[2].splitlines()[-1:] == (
        [line] if line else []
    )
