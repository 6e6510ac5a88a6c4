"""Scripts in Python: how one is loaded, and how its functions are called (modules/app_python3: app_python3_mod.c,
python_exec.c).

A script is a module with a function mod_init(), which gives an object; that object's methods are what is called:
child_init(rank) once, then ksr_request_route(msg), the callbacks of events as NAME(msg, event), and what t_continue and
its like name as NAME(msg). What they give is looked at by python_exec() alone. Loading runs the script's code.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType, ModuleType, TracebackType
from typing import Final

from evapi_cfg.kemi import python_ksr
from evapi_cfg.kemi.ksr import Modf, Room
from evapi_cfg.kemi.place import Files, Here, line_span
from evapi_cfg.kemi.python_message import MessageObject
from evapi_cfg.kemi.script_error import ScriptError, read_script
from evapi_cfg.kemi.watchdog import CALLER, PACKAGE, CallbackTimeout, Watch
from evapi_cfg.modules.context import Level, Route, Run, World
from evapi_cfg.source import SourceFile, Span, show, store
from evapi_cfg.values import int32

SOURCE: Final = "app_python3"
_NOT_BEGUN: Final = (CoroutineType, GeneratorType, AsyncGeneratorType)
_RANK: Final = 1  # what child_init is told: the first process for SIP (core/sr_module.h: PROC_SIPINIT)
_SHOWN: Final = 8  # places of a failed call that are shown, the innermost ones
_GLUE: Final = os.path.join(PACKAGE, "kemi") + os.sep


class PythonScript:
    """One loaded script. `handler` is the object that its mod_init() gave."""

    def __init__(
        self,
        world: World,
        rooms: dict[str, Room],
        modf: Modf,
        loaded: tuple[str, ...],
        callback_timeout: float,
        before: object = None,
    ) -> None:
        """`before`: the script of the program that this one's takes over from; one watchdog does for both."""
        self.handler: object = None
        self.here = Here(world, self._place)
        self._world = world
        self._watch: Watch = before._watch if isinstance(before, PythonScript) else Watch(callback_timeout)
        self._files = Files()
        self._ksr = python_ksr.module(rooms, modf, self.here, loaded)
        self._modf: Callable[..., int] = self._ksr.x.modf
        self._folder = ""
        self._module = ModuleType("")
        self._names = ("", "")

    # ---- loading

    def load(self, path: str, text: bytes, mod_init: str, child_init: str) -> None:
        """Runs the script. Raises ScriptError, with the place in the script where there is one."""
        name = os.path.basename(path).rpartition(".")[0]
        self._folder = os.path.dirname(os.path.abspath(path)) + os.sep
        folder = os.path.dirname(path) or "."
        if folder not in sys.path:
            sys.path.insert(0, folder)
        self._module = ModuleType(name)
        self._module.__file__ = path
        sys.modules.setdefault(name, self._module)
        self._names = mod_init, child_init
        self._run(path, text)

    def _run(self, path: str, text: bytes) -> None:
        file = self._files.add(path, text.decode("latin-1"))
        sys.modules["KSR"] = self._ksr
        try:
            code = compile(text, path, "exec", dont_inherit=True)
        except SyntaxError as error:
            message = f"{type(error).__name__}: {error.msg}"
            raise ScriptError(message, line_span(file, error.lineno or 1)) from None
        except ValueError as error:  # a null byte
            raise ScriptError(str(error), line_span(file, 1)) from None
        self._loading(exec, code, self._module.__dict__)
        self.handler = self._new_handler(file)

    def _new_handler(self, file: SourceFile) -> object:
        mod_init, child_init = self._names
        begin = self._loading(getattr, self._module, mod_init, None)
        if not callable(begin):
            raise ScriptError(f"the script has no function {mod_init}()", line_span(file, 1))
        handler = self._loading(begin)
        if handler is None:
            raise ScriptError(f"{mod_init}() gives None: it has to give the object that is called", _start(file, begin))
        ready = self._loading(getattr, handler, child_init, None)
        if not callable(ready):
            what = f"what {mod_init}() gives, of type {type(handler).__name__}, has no method {child_init}(rank)"
            raise ScriptError(what, _start(file, begin))
        outcome = self._loading(ready, _RANK)
        if not isinstance(outcome, int):
            kind = "None" if outcome is None else f"a value of type {type(outcome).__name__}"
            raise ScriptError(f"{child_init}() gives {kind}: it has to give an int", _start(file, ready))
        if outcome < 0:
            raise ScriptError(f"{child_init}() gives {outcome}: below 0 it refuses to start", _start(file, ready))
        return handler

    def _loading(self, function: Callable[..., object], *arguments: object) -> object:
        """A step of loading. The watchdog leaves the first loading alone: a script may take its time to connect
        somewhere."""
        try:
            return function(*arguments)
        except KeyboardInterrupt:
            raise
        except SystemExit as error:
            raise ScriptError(f"the script ends itself: {error!r}", self._places(error)[0]) from None
        except BaseException as error:
            at, more = self._places(error)
            what = described(error)
            if isinstance(error, CallbackTimeout):
                what = f"it ran for more than {self._watch.seconds:g} seconds and was stopped (--callback-timeout)"
            raise ScriptError("\n".join([what, *more]), at) from None

    # ---- calling

    def route(self, name: str, *arguments: str, required: bool = True) -> Route:
        """A method as a route: it gets the message, then `arguments`. Where there is none of that name, that is an
        error if it is `required`, else nothing happens."""
        given = tuple(python_ksr.outer(argument) for argument in arguments)

        def run_method(run: Run) -> int:
            self.call_script(run, name, given, required=required)
            return 1

        return run_method

    def has(self, name: str) -> bool:
        return callable(self._loading(getattr, self.handler, name, None))

    def call(self, run: Run, name: str, *texts: str) -> int:
        outcome = self.call_script(run, name, tuple(map(python_ksr.outer, texts)))
        return int32(int(outcome)) if isinstance(outcome, int) else -1

    def names(self) -> list[str]:
        return [str(self._module.__file__)]

    def run_again(self, number: int | None = None) -> None:
        """As importlib.reload does; the object from before stays where that fails."""
        path = str(self._module.__file__)
        self._watch.begin()
        try:
            self._run(path, read_script(path))
        except ScriptError as error:
            self._world.log(Level.ERROR, SOURCE, f"the script is not loaded again: {error.message}", error.at)
        finally:
            self._watch.end()

    def run_text(self, run: Run, what: str, text: str) -> int:
        raise NotImplementedError(what)

    def call_script(self, run: Run, name: str, arguments: tuple[str, ...], *, required: bool = True) -> object:
        """What a method gives; None, with a line in the log, where it fails, or where it is `required` and not there.
        Looking for it may run code of the script's as well. The watchdog knows this function."""
        here, watch = self.here, self._watch
        before = here.run
        here.run = run
        sys.modules["KSR"] = self._ksr  # this script's, whatever else this process has loaded
        message = MessageObject(run, self._modf)
        watch.begin()
        try:
            method = getattr(self.handler, python_ksr.outer(name), None)
            if not callable(method):
                if required:
                    run.log(Level.ERROR, SOURCE, f"the script has no method {show(name)!r}: nothing runs")
                return None
            outcome = method(message, *arguments)
            if isinstance(outcome, _NOT_BEGUN):
                if isinstance(outcome, CoroutineType):
                    outcome.close()
                what = "has a `yield`" if isinstance(outcome, GeneratorType) else "is `async def`"
                run.log(Level.ERROR, SOURCE, f"{show(name)} {what}: nobody goes on with it, nothing of it runs")
            return outcome
        except KeyboardInterrupt:
            raise
        except SystemExit:  # exit() is how a script in Python ends its run
            return None
        except BaseException as error:
            self._failed(run, name, arguments, error)
            return None
        finally:
            watch.end()
            message.forget()
            here.run = before

    # ---- what goes wrong

    def _failed(self, run: Run, name: str, arguments: tuple[str, ...], error: BaseException) -> None:
        at, more = self._places(error)
        called = f"{show(name)}({', '.join(arguments)})"
        level = Level.ERROR
        if isinstance(error, CallbackTimeout):
            what = (
                f"{called} ran for more than {self._watch.seconds:g} seconds and was stopped: nobody else is served "
                "meanwhile; --callback-timeout sets how long it may take"
            )
        elif self._is_ours(error):
            level = Level.CRITICAL
            what = f"{called}: a bug in evapi-cfg: {described(error)} (this run ended, the server goes on)"
        else:
            what = f"{called} has failed, the server goes on: {described(error)}"
        run.log(level, SOURCE, store("\n".join([what, *more])), at)

    def _is_ours(self, error: BaseException) -> bool:
        """Whether it arose in this package, and not where a script is told of its own mistakes."""
        trace = error.__traceback__
        if trace is None or isinstance(error, RecursionError):  # whose stack is full, be it in a call of ours
            return False
        while trace.tb_next is not None:
            trace = trace.tb_next
        file = trace.tb_frame.f_code.co_filename
        return file.startswith(PACKAGE) and not file.startswith(_GLUE)

    def _places(self, error: BaseException) -> tuple[Span | None, list[str]]:
        """The innermost place in the script itself, and a line for each place on the way to it."""
        at: Span | None = None
        lines: list[str] = []
        for frame, line in _walk(error.__traceback__):
            code = frame.f_code
            if code.co_filename.startswith(PACKAGE) or code.co_filename.startswith("<frozen"):
                continue
            lines.append(f"  {code.co_filename}:{line} in {code.co_name}")
            at = self._span(code.co_filename, line) or at
        if isinstance(error, SyntaxError) and error.filename:  # of a module that the script imports
            at = self._span(error.filename, error.lineno or 1) or at
        return at, lines[-_SHOWN:]

    def _span(self, name: str, line: int) -> Span | None:
        """A place in the script, or in a file beside it."""
        if name not in self._files and os.path.abspath(name).startswith(self._folder):
            try:
                with open(name, "rb") as file:
                    self._files.add(name, file.read().decode("latin-1"))
            except OSError:
                return None
        return self._files.span(name, line)

    def _place(self) -> Span | None:
        """Where the script is that is calling something just now."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_name != CALLER:
            found = self._files.span(frame.f_code.co_filename, frame.f_lineno)
            if found is not None:
                return found
            frame = frame.f_back
        return None


def _walk(trace: TracebackType | None) -> list[tuple[FrameType, int]]:
    found: list[tuple[FrameType, int]] = []
    while trace is not None:
        found.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return found


def described(error: BaseException) -> str:
    """An exception in one line; what its own code raises while it is shown is the script's as well."""
    try:
        return " ".join(line.strip() for line in traceback.format_exception_only(error)[-1:]).strip()
    except CallbackTimeout:
        return type(error).__name__


def _start(file: SourceFile, function: object) -> Span | None:
    """Where a function of the script begins."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return None if code is None else line_span(file, code.co_firstlineno)
