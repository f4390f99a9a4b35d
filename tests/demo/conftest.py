from pathlib import Path

import pytest

from regrow.cli.demo._source import Library

GOOD = {
    "empty.py": b"",
    "plain.py": b"import os\n\ndef f():\n    pass\n",
    "pack/__init__.py": b"from . import inner as name, other\n",
    "pack/inner.py": (
        b"# coding: latin-1\n"
        b"class A(int, object):\n"
        b"    async def m(self): return '\xe4'\n"
        b"    class B: x = '\\d'\n"
    ),
    "pack/notes.txt": b"def no(): pass\n",
}
BAD = {
    "bad/old.py": b"print 'hello'\n",
    "bad/coding.py": b"# coding: uft-8\n",
    "bad/bytes.py": b"#\n#\nx = '\xff'\n",
    "bad/null.py": b"x = 1\0\n",
}


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """Four files that can be indexed, four that cannot, and one that is not Python."""
    folder = tmp_path / "library"
    for name, content in (GOOD | BAD).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Library(folder)
