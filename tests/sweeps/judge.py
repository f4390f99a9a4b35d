"""Whether a run has kept the promises.

What is wrong with a run is a sentence; no sentence, no fault.
"""

from collections import Counter
from collections.abc import Iterator

from attrs import evolve

import regrow

from .checks import check_events
from .harness import Outcome, Scenario

__all__ = ["faults"]


def faults(scenario: Scenario, out: Outcome) -> list[str]:
    """Give a sentence for everything that is wrong with a run."""
    if out.aborted:
        return [out.aborted]
    found = []
    if out.left:
        found.append(f"tasks are left: {', '.join(out.left)}")
    sticky = any(action.sticky for action in out.acted)
    if out.late and not (scenario.patient and sticky):
        found.append("it did not end before the horizon")
    found.extend(_exception_faults(scenario, out))
    rules = scenario.rules
    if not all(action.orderly for action in out.acted):
        rules = evolve(rules, ordered=False)
    found.extend(check_events(out.events, rules))
    found.extend(_late_starts(out))
    if scenario.module is not None:
        found.extend(_message_faults(scenario, out))
    for work in out.probe.works:
        if work.ended is None:
            found.append(f"{work!r} has not ended")
        elif isinstance(work.ended, GeneratorExit):
            found.append(f"{work!r} was left to the garbage collector")
    return found


def _late_starts(out: Outcome) -> Iterator[str]:
    """Nothing starts in a tree that has been told to stop (T17)."""
    if out.stopping is None:
        return
    roots = [event for event in out.events[: out.stopping] if "/" not in event.path]
    if not roots or not isinstance(roots[-1], regrow.ChildStarted):
        return  # it had ended by then
    for event in out.events[out.stopping :]:
        match event:
            case regrow.ChildStarted(path=path, incarnation=number):
                yield f"{path} #{number} started though the tree was stopping"
            case regrow.ChildExited(path=path) if "/" not in path:
                return  # another tree may follow
            case _:
                pass


def _exception_faults(scenario: Scenario, out: Outcome) -> Iterator[str]:
    must = [action.must for action in out.acted if action.must is not None]
    errors = [] if out.error is None else [out.error]
    by_itself = any(isinstance(e, scenario.body_errors) for e in _leaves(out.error))
    if scenario.nursery or by_itself or len(must) > 1:
        # A nursery makes a group; so does `open_tree`, if block and tree have failed.
        errors = _leaves(out.error)
    follows: tuple[type[BaseException], ...] = ()
    if any(action.crashes for action in out.acted):
        follows = (
            *(regrow.CallError, regrow.SupervisorCallError),
            *(regrow.StartFailedError, regrow.RestartLimitExceededError),
            *scenario.body_errors,
        )
    if scenario.nursery and out.acted:
        # What the tree does to the tasks beside it is in the same group.
        follows = (*follows, regrow.CallError)
    fatal = [type(error) for error in errors if not isinstance(error, follows)]
    fits = fatal == must
    if len(out.acted) > 1:
        # Where two come together one may replace the other, in the order of their coming.
        may_be_lost = scenario.replaces or len(must) > 1 or _replaced(must, out)
        fits = fatal == must or (may_be_lost and set(fatal) <= set(must))
    if not fits:
        wanted = [kind.__name__ for kind in must] or "nothing"
        yield f"{errors} came out instead of {wanted}"
    for error in errors:
        if isinstance(error, regrow.StartFailedError) and error.root_cause is None:
            yield f"{error!r} does not say why"


def _replaced(kinds: list[type[BaseException]], out: Outcome) -> bool:
    """Whether the program itself raised something else while it cleaned up after one."""
    for work in out.probe.works:
        error = work.ended if isinstance(work.ended, BaseException) else None
        while error is not None:
            error = error.__context__
            if isinstance(error, tuple(kinds)):
                return True
    return False


def _leaves(error: BaseException | None) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in _leaves(part)]
    return [] if error is None else [error]


def _message_faults(scenario: Scenario, out: Outcome) -> Iterator[str]:
    """Account for every message, by the numbers of each method of each place."""
    sent: dict[tuple[str, str], Counter[str]] = {}
    casts: Counter[tuple[str, str]] = Counter()
    for message in out.sent:
        key = (message.path, message.name)
        if message.end is None:
            yield f"{message.kind} of {key} never ended"
        elif message.kind == "call":
            sent.setdefault(key, Counter())[message.end] += 1
        else:
            sent.setdefault(key, Counter())
            if message.end == "sent":
                casts[key] += 1
    begun: Counter[tuple[str, str]] = Counter()
    done: Counter[tuple[str, str]] = Counter()
    for work in out.probe.works:
        if work.kind == "handler" and work.name not in scenario.unasked:
            key = (work.path, work.name)
            begun[key] += 1
            # Who ends itself in a handler has handled the message.
            clean = (*scenario.rules.declared, regrow.Shutdown)
            done[key] += work.ended == "done" or isinstance(work.ended, clean)
            sent.setdefault(key, Counter())
    dead = Counter(
        (event.path, event.message)
        for event in out.events
        if isinstance(event, regrow.DeadLetter)
    )
    dropped = {e.path for e in out.events if isinstance(e, regrow.MessagesDropped)}
    for key, ends in sent.items():
        what = f"{'.'.join(key)}: {dict(ends)}, {casts[key]} casts, {begun[key]} begun"
        what += f", {done[key]} done, {dead[key]} dead letters"
        answered = ends["answer"] + ends["raised"]
        cut = ends["ActorCrashedError"] + ends["ActorInterruptedError"]
        if not answered <= done[key]:
            yield f"answered more than was done: {what}"
        if begun[key] > answered + cut + ends["cancelled"] + casts[key]:
            yield f"handled more than was sent: {what}"
        if key[0] in dropped:
            continue
        others_done = done[key] - answered
        if casts[key] and not ends and others_done + dead[key] != casts[key]:
            yield f"casts not accounted for: {what}"
