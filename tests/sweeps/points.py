"""Places in a program's own text where a sweep can make something happen.

An example is loaded from its file with a call put in at each of its *points*: where a
function or method of the tree begins, after everything it awaits, after the `yield` of a
lifespan, and where it ends. What is called counts the points passed by tasks of the tree
and acts at one of them, as if the example's author had written `raise` there; the library
itself is as it is. Handlers, lifespans and services are also put into a `with` that notes
when they begin and how they end, so that there is a witness besides the events.

Functions inside functions are left alone: they belong to the program around the tree.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import trio

import regrow

T = TypeVar("T")

EXAMPLES = Path(__file__).parents[2] / "examples"
LIBRARY = str(Path(regrow.__file__).parent)

PROBE = "__probe__"


class Work:
    """One run of a handler, a lifespan or a service.

    Attributes:
        kind: `handler`, `lifespan` or `task`.
        path: The place of the actor; of a task its name.
        name: Name of the function, for a method without its class.
        ended: `None` while it runs, else what came out of it, `"done"` for nothing.
    """

    def __init__(self, kind: str, path: str, name: str) -> None:
        self.kind = kind
        self.path = path
        self.name = name
        self.ended: str | BaseException | None = None

    def __repr__(self) -> str:
        return f"<{self.kind} {self.path} {self.name}: {self.ended!r}>"


class Probe:
    """What the points of one run call.

    Attributes:
        at: The point to act at, counted from 1; `None` only counts.
        act: What is done there, with the label of the point.
        sticky: Whether to act as well whenever the same label is passed again.
        everywhere: Whether points passed outside the tree count as well.
        passed: Points passed so far.
        label: Label of the point that was acted at.
        works: What has begun, in order.
    """

    def __init__(
        self,
        at: int | None = None,
        act: Callable[[], object] | None = None,
        *,
        sticky: bool = False,
        everywhere: bool = False,
    ) -> None:
        self.at = at
        self.act = act
        self.sticky = sticky
        self.everywhere = everywhere
        self.passed = 0
        self.label = ""
        self.works: list[Work] = []
        self._inside: dict[trio.lowlevel.Task, bool] = {}

    def point(self, label: str) -> None:
        """Come past a point."""
        if not self.everywhere and not self._in_tree():
            return
        self.passed += 1
        if self.at is None or self.act is None:
            return
        if self.passed == self.at:
            self.label = label
        if self.passed == self.at or (self.sticky and label == self.label):
            self.act()

    def after(self, value: T, label: str) -> T:
        """Come past a point with a value in hand."""
        self.point(label)
        return value

    def handler(self, actor: regrow.Actor, name: str) -> AbstractContextManager[None]:
        """Surround the body of a method."""
        return self._work(Work("handler", actor.ref.path, name))

    def lifespan(self, actor: regrow.Actor) -> AbstractContextManager[None]:
        """Surround the body of a lifespan."""
        return self._work(Work("lifespan", actor.ref.path, "lifespan"))

    def task(self, name: str) -> AbstractContextManager[None]:
        """Surround the body of an async function."""
        return self._work(Work("task", name, name))

    @contextmanager
    def _work(self, work: Work) -> Iterator[None]:
        self.works.append(work)
        try:
            yield
        except BaseException as error:
            work.ended = error
            raise
        work.ended = "done"

    def _in_tree(self) -> bool:
        task = trio.lowlevel.current_task()
        known = self._inside.get(task)
        if known is None:
            known = self._inside[task] = in_tree(task)
        return known


def in_tree(task: trio.lowlevel.Task) -> bool:
    """Whether the library has started *task*, or a task above it."""
    above: trio.lowlevel.Task | None = task
    while above is not None:
        if above.coro.cr_code.co_filename.startswith(LIBRARY):
            return True
        nursery = above.parent_nursery
        above = None if nursery is None else nursery.parent_task
    return False


def load(path: Path) -> ModuleType:
    """Give a copy of the module at *path* that has its points put in."""
    source = path.read_text(encoding="utf-8")
    tree = ast.fix_missing_locations(_Points().visit(ast.parse(source)))
    name = f"swept_{path.stem}"
    module = ModuleType(name)
    module.__file__ = str(path)
    module.__dict__[PROBE] = Probe()
    sys.modules[name] = module
    exec(compile(tree, str(path), "exec"), module.__dict__)  # noqa: S102 - our own text
    return module


class _Points(ast.NodeTransformer):
    """Puts the calls in."""

    def __init__(self) -> None:
        self._actor = False
        self._names: list[str] = []

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        bases = {ast.unparse(base) for base in node.bases}
        if bases & {"Exception", "Protocol"}:
            return node
        self._actor = "Actor" in bases
        self._names.append(node.name)
        node.body = [self.visit(statement) for statement in node.body]
        self._names.pop()
        self._actor = False
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if self._actor and not node.name.startswith("__"):
            self._fill(node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        self._fill(node)
        return node

    def _fill(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        inner = _Body(".".join([*self._names, node.name]))
        body = [inner.visit(statement) for statement in node.body]
        body.insert(0, inner.point(node))
        body.append(inner.point(node.body[-1]))
        around = self._around(node)
        if around is not None:
            with_it = ast.withitem(context_expr=around)
            body = [ast.copy_location(ast.With(items=[with_it], body=body), node)]
        node.body = body

    def _around(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.expr | None:
        actor = ast.Name(node.args.args[0].arg, ast.Load()) if self._actor else None
        if actor is None:
            return None if self._names else _call("task", ast.Constant(node.name))
        if node.name == "lifespan":
            return _call("lifespan", actor)
        if node.name.startswith("_"):
            return None
        return _call("handler", actor, ast.Constant(node.name))


class _Body(ast.NodeTransformer):
    """Puts points into one function."""

    def __init__(self, name: str) -> None:
        self._name = name

    def point(self, node: ast.stmt) -> ast.stmt:
        call = _call("point", self._label(node))
        return ast.copy_location(ast.Expr(call), node)

    def visit_Await(self, node: ast.Await) -> ast.expr:
        self.generic_visit(node)
        return ast.copy_location(_call("after", node, self._label(node)), node)

    def visit_Yield(self, node: ast.Yield) -> ast.expr:
        self.generic_visit(node)
        return ast.copy_location(_call("after", node, self._label(node)), node)

    def visit_Return(self, node: ast.Return) -> ast.stmt:
        self.generic_visit(node)
        value = node.value or ast.Constant(None)
        node.value = ast.copy_location(_call("after", value, self._label(node)), node)
        return node

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.stmt:
        self.generic_visit(node)
        node.body.insert(0, self.point(node))
        return node

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.stmt:
        self.generic_visit(node)
        node.body.insert(0, self.point(node))
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.stmt:
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        return node

    def _label(self, node: ast.stmt | ast.expr) -> ast.expr:
        return ast.Constant(f"{self._name}:{node.lineno}:{node.col_offset}")


def _call(method: str, *args: ast.expr) -> ast.expr:
    probe = ast.Name(PROBE, ast.Load())
    return ast.Call(ast.Attribute(probe, method, ast.Load()), list(args), [])
