"""KSR as Lua sees it: functions that take what a script gives them (app_lua: app_lua_api.c: sr_kemi_lua_exec_func_ex).

A text is bytes in Lua and one character per byte here, so nothing is translated. Numbers and texts become one another
as Lua does it; what is neither is an empty text or 0. Where arguments are missing that is logged and gives false.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from evapi_cfg.kemi.place import Here
from evapi_cfg.modules.context import Level
from evapi_cfg.modules.spec import KemiFunction, Long
from evapi_cfg.values import Value, int32

Given: TypeAlias = "Value | bool"
_MOST: Final = 6  # arguments, core/kemi.h: SR_KEMI_PARAMS_MAX

# Gives `put(table, name, function)`, which makes a function of Lua of one of Python; `watch(function, count)`, which
# has one called every so many instructions, in coroutines as well, and lets no pcall hold up what it
# raises once `overdue` is true; `missing(table, room, function)`, which tells what
# is asked for and not there; and `leave(table, mark, set_drop)`, for KSR.x.exit and drop. Scripts see no Python.
PRELUDE: Final = """
local as, sethook, create, resume = python.as_function, debug.sethook, coroutine.create, coroutine.resume
local error, setmetatable, try, try_handled = error, setmetatable, pcall, xpcall
python = nil
local function put(t, name, f)
  t[name] = as(f)
end
local function watch(f, count, overdue)
  f, overdue = as(f), as(overdue)
  sethook(f, "", count)
  debug.sethook = function() end
  local function go_on(ok, ...)
    if not ok and overdue() then error((...), 0) end
    return ok, ...
  end
  pcall = function(body, ...) return go_on(try(body, ...)) end
  xpcall = function(body, handler, ...)
    return go_on(try_handled(body, function(e)
      if overdue() then return e end
      return handler(e)
    end, ...))
  end
  coroutine.resume = function(made, ...) return go_on(resume(made, ...)) end
  coroutine.create = function(body)
    local made = create(body)
    sethook(made, f, "", count)
    return made
  end
  local function checked(ok, ...)
    if not ok then error((...), 0) end
    return ...
  end
  coroutine.wrap = function(body)
    local made = coroutine.create(body)
    return function(...) return checked(resume(made, ...)) end
  end
end
local function missing(t, room, tell)
  tell = as(tell)
  setmetatable(t, {__index = function(_, name) tell(room, name) return nil end})
end
local function leave(t, mark, set_drop)
  set_drop = as(set_drop)
  t.exit = function() error(mark, 0) end
  t.drop = function() set_drop() error(mark, 0) end
end
return put, watch, missing, leave
"""


def number_text(number: int | float) -> str:
    """A number as Lua 5.1 writes it."""
    return f"{number:.14g}"


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return number_text(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _number(value: object) -> int:
    if isinstance(value, bool):
        return 0
    if isinstance(value, str):
        try:
            value = int(value, 16) if value.strip().lower().startswith("0x") else float(value)
        except ValueError:
            return 0
    if not isinstance(value, int | float) or value != value or not -(2.0**63) <= value < 2.0**63:
        return 0
    return int(value)


def bound(function: KemiFunction, room: str, here: Here) -> Callable[..., Given]:
    """The function as a script calls it."""
    title = f"KSR.{room}.{function.name}" if room else f"KSR.{function.name}"
    call = partial(function.call, at=here.span) if function.at else function.call
    count = len(function.params)

    def refuse(what: str) -> bool:
        run = here.run or here.outside()
        run.log(Level.ERROR, "app_lua", f"{title}: {what}: nothing is done", here.span)
        return False

    if function.params == (str,):

        def one_text(*arguments: object) -> Given:
            run = here.run
            if run is None:
                return refuse("there is no message while a script is loaded")
            if not 1 <= len(arguments) <= _MOST:
                return refuse("the argument is missing" if not arguments else f"at most {_MOST} arguments are taken")
            text = arguments[0]
            return call(run, text if isinstance(text, str) else _text(text))

        return one_text
    kinds = function.params

    def any_arguments(*arguments: object) -> Given:
        run = here.run
        if run is None:
            return refuse("there is no message while a script is loaded")
        if len(arguments) > _MOST:
            return refuse(f"at most {_MOST} arguments are taken")
        if len(arguments) < count:
            return refuse(f"argument {len(arguments) + 1} is missing")
        taken: list[int | str] = []
        for kind, value in zip(kinds, arguments, strict=False):
            if kind is str:
                taken.append(_text(value))
            else:
                number = _number(value)
                taken.append(number if kind is Long else int32(number))
        return call(run, *taken)

    return any_arguments
