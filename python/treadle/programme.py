"""The kinds of programmes that an interpreter runs, and how it runs them.

Each does what ``python`` does with the same arguments: the tests compare the two.
"""

from __future__ import annotations

import abc
import builtins
import io
import os
import sys
from importlib.machinery import BuiltinImporter, SourceFileLoader, SourcelessFileLoader
from types import CodeType, ModuleType

from treadle import uncaught

TYPE_CHECKING = False  # see compat.py
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_replaced: list[ModuleType] = []  # our own `__main__`, whose globals must not die before its code


class Programme(abc.ABC):
    """Something to run, and its arguments."""

    def __init__(self, name: str, arguments: Sequence[str]) -> None:
        self.name = name
        self.arguments = arguments

    @abc.abstractmethod
    def run(self) -> int:
        """Run it; the exit status, unless it raises."""

    def set_up(self, first_path: str | None, loader: Any, **names: Any) -> dict[str, Any]:
        """Prepare `sys` and a new `__main__`, whose globals are returned."""
        sys.argv[:] = [self.name, *self.arguments]
        if first_path is not None and has_path_of_programme():
            sys.path[0] = first_path
        module = ModuleType("__main__")
        vars(module).update(__loader__=loader, __builtins__=builtins, **names)
        if sys.version_info < (3, 14):
            module.__annotations__ = {}
        _replaced.append(sys.modules["__main__"])
        sys.modules["__main__"] = module
        return vars(module)


def has_path_of_programme() -> bool:
    """Whether `sys.path` begins with where the programme is, which options can forbid."""
    return not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))


class Module(Programme):
    """``-m name``."""

    def run(self) -> int:
        module, self.name = self.name, "-m"  # in sys.argv[0], until the module is found
        self.set_up(None, BuiltinImporter)
        uncaught.call(run_module, module, True)
        return 0


def run_module(name: str, alter_argv: bool) -> None:
    """What the interpreter itself calls for ``-m``, directories and archives."""
    import runpy

    runpy._run_module_as_main(name, alter_argv)  # type: ignore[attr-defined]


class Command(Programme):
    """``-c code``."""

    def run(self) -> int:
        text, self.name = self.name, "-c"
        namespace = self.set_up("", BuiltinImporter)
        uncaught.call(self.execute, text, namespace)
        return 0

    @staticmethod
    def execute(text: str, namespace: dict[str, Any]) -> None:
        if sys.version_info >= (3, 14):
            import textwrap

            text = textwrap.dedent(text)
        code = compile(text + "\n", "<string>", "exec", dont_inherit=True)
        if sys.version_info >= (3, 13):
            remember_lines(code, text)
        exec(code, namespace)


class Stdin(Programme):
    """``-``, or no name at all."""

    def run(self) -> int:
        namespace = self.set_up("", BuiltinImporter, __file__="<stdin>", **cached())
        uncaught.call(self.execute, namespace)
        return 0

    @staticmethod
    def execute(namespace: dict[str, Any]) -> None:
        source = sys.stdin.buffer.read()
        exec(compile(source, "<stdin>", "exec", dont_inherit=True), namespace)


class Script(Programme):
    """A file, or a directory or an archive with a `__main__` module."""

    def run(self) -> int:
        path = absolute(self.name)
        if has_importer(path):
            self.set_up(path, BuiltinImporter)
            if not has_path_of_programme():
                sys.path.insert(0, path)
            uncaught.call(run_module, "__main__", False)
            return 0
        try:
            code, source = read(path)
        except OSError as error:
            told = f"can't open file {path!r}: [Errno {error.errno}] {error.strerror}"
            print(f"{sys.orig_argv[0]}: {told}", file=sys.stderr)
            return 2
        folder = os.path.dirname(os.path.realpath(path))
        kind = SourcelessFileLoader if code else SourceFileLoader
        namespace = self.set_up(folder, kind("__main__", path), __file__=path, **cached())
        uncaught.call(self.execute, code, source, path, namespace)
        return 0

    @staticmethod
    def execute(code: CodeType | None, source: bytes, path: str, namespace: dict[str, Any]) -> None:
        exec(code or compile(source, path, "exec", dont_inherit=True), namespace)


def remember_lines(code: CodeType, text: str) -> None:
    """Let tracebacks show lines of code that is in no file, as newer interpreters do."""
    lines: Any = __import__("linecache")
    key = code if hasattr(lines, "_interactive_cache") else "<string>"  # 3.13.0 lacks it
    lines._register_code(key, text, "<string>")


def cached() -> dict[str, None]:
    """What scripts of older interpreters have."""
    return {"__cached__": None} if sys.version_info < (3, 15) else {}


def absolute(path: str) -> str:
    """The path as the interpreter shows it: from the root, and otherwise as it was given."""
    if os.name == "nt" or os.path.isabs(path):
        return os.path.abspath(path) if os.name == "nt" else path
    return os.path.join(os.getcwd(), path)


def has_importer(path: str) -> bool:
    """Whether modules can be imported from there."""
    for hook in sys.path_hooks:
        try:
            hook(path)
        except ImportError:
            continue
        return True
    return False


def read(path: str) -> tuple[CodeType | None, bytes]:
    """The file's code, if it is compiled already, and otherwise its source."""
    from pkgutil import read_code

    with io.open_code(path) as file:
        contents = file.read()  # at once: a pipe has no second reading
    code: CodeType | None = read_code(io.BytesIO(contents))
    return code, contents
