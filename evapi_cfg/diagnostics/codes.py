"""Every kind of fault that is reported, declared once.

A code's name says the bad thing in kebab-case words. `by_name` finds a code; tests see to it that each one fires and
has its page in `pages/`. docs/diagnostics.md tells how to add one. The headings are those of `evapi-cfg explain --all`.
"""

from __future__ import annotations

from evapi_cfg.diagnostics.model import Code, Group, Severity

ERROR = Severity.ERROR
WARNING = Severity.WARNING

SYNTAX = Group("syntax")

SYNTAX_ERROR = Code("syntax-error", ERROR, "something stands where the language does not allow it")
MISSING_SEMICOLON = Code("missing-semicolon", ERROR, "a statement does not end with `;`")
UNCLOSED_PARENTHESIS = Code("unclosed-parenthesis", ERROR, "a `(` or `[` has no partner")
STRAY_PARENTHESIS = Code("stray-parenthesis", ERROR, "a `)` or `]` has no partner")
UNCLOSED_BLOCK = Code("unclosed-block", ERROR, "a `{` has no partner")
STRAY_BRACE = Code("stray-brace", ERROR, "a `}` has no partner")
EMPTY_BLOCK = Code("empty-block", ERROR, "a block holds no statement")
EMPTY_FILE = Code("empty-file", ERROR, "a file holds no statement")
ASSIGNMENT_IN_CONDITION = Code("assignment-in-condition", ERROR, "`=` stands where a comparison is meant")
STATEMENT_OUTSIDE_ROUTE = Code("statement-outside-route", ERROR, "a statement stands outside of all route blocks")
NESTED_TOO_DEEP = Code("nested-too-deep", ERROR, "blocks, expressions or conditions are nested too deep")
UNKNOWN_CORE_PARAMETER = Code("unknown-core-parameter", ERROR, "the core has no parameter of this name")
BAD_CORE_PARAMETER_VALUE = Code("bad-core-parameter-value", ERROR, "a core parameter gets the wrong form of value")
BAD_ADDRESS = Code("bad-address", ERROR, "a number in an IPv4 address, or an IPv6 address, is out of range")
UNCLOSED_STRING = Code("unclosed-string", ERROR, "a string has no closing quote")
UNCLOSED_VARIABLE = Code("unclosed-variable", ERROR, "a variable's parentheses are not closed on its line")
TYPOGRAPHIC_QUOTE = Code("typographic-quote", ERROR, "a typographic quote stands where a plain one is meant")
UNCLOSED_COMMENT = Code("unclosed-comment", ERROR, "a comment is not closed, and what it swallows is missing")
COMMENT_TO_THE_END = Code("comment-to-the-end", WARNING, "a comment is not closed, up to the end of the file")
LONE_DOLLAR = Code("lone-dollar", ERROR, "a `$` with no name behind it")
DETACHED_DOLLAR = Code("detached-dollar", WARNING, "something stands between a `$` and the name behind it")
BAD_EVENT_NAME_CHARACTER = Code("bad-event-name-character", WARNING, "a character in an event route's name is ignored")
DROPPED_CHARACTER = Code("dropped-character", WARNING, "a character that means nothing is ignored")
BYTE_ORDER_MARK = Code("byte-order-mark", WARNING, "a byte-order mark stands at the start of a file")

PREPROCESSOR = Group("preprocessor")

IGNORED_DIRECTIVE = Code("ignored-directive", WARNING, "what looks like a directive is a comment")
IGNORED_CONDITION = Code("ignored-condition", WARNING, "a part of an #!ifdef's line means nothing")
DIRECTIVE_RUNS_ON = Code("directive-runs-on", WARNING, "a directive takes its name from another line")
NEWER_DIRECTIVE = Code("newer-directive", WARNING, "a directive that only newer versions of Kamailio know")
NEWER_SYNTAX = Code("newer-syntax", ERROR, "a form that only newer versions of Kamailio can read")
ALREADY_DEFINED = Code("already-defined", ERROR, "a define has its name already")
NOT_DEFINED = Code("not-defined", ERROR, "a name is undefined that is not defined")
COMMENT_IN_DEFINE = Code("comment-in-define", WARNING, "a comment in a define's value takes the rest of a line")
BAD_DEFINE_NAME = Code("bad-define-name", ERROR, "a define's name holds a character that it may not hold")
DEFINED_KEYWORD = Code("defined-keyword", WARNING, "a define has the name of a reserved word, and no effect")
RECURSIVE_DEFINE = Code("recursive-define", ERROR, "a define's value leads back to its own name")
TOO_MANY_DEFINES = Code("too-many-defines", ERROR, "there are more defines than Kamailio has room for")
TOO_MANY_EXPANSIONS = Code("too-many-expansions", ERROR, "defines within defines come to too much text")
BAD_DEFENV = Code("bad-defenv", ERROR, "#!defenv without a variable's name")
MISSING_ENVIRONMENT_VARIABLE = Code("missing-environment-variable", ERROR, "#!defenv names a variable that is not set")
BAD_EXPRESSION = Code("bad-expression", WARNING, "the expression of #!ifexp or #!defexp has no value")
UNBALANCED_CONDITION = Code("unbalanced-condition", ERROR, "#!ifdef and #!endif do not come in pairs")
STRAY_DIRECTIVE = Code("stray-directive", WARNING, "#!else, #!endif or #!ifdef without its partner")
BAD_SUBSTITUTION = Code("bad-substitution", ERROR, "the expression of #!subst is not of its form")
BAD_INCLUDE_NAME = Code("bad-include-name", ERROR, "include_file without a usable file name")
INCLUDE_NOT_READ = Code("include-not-read", ERROR, "an included file cannot be read")
INCLUDED_TOO_DEEP = Code("included-too-deep", ERROR, "files include one another too deep, or without end")

MODULES = Group("modules and parameters")

UNKNOWN_MODULE = Code("unknown-module", ERROR, "loadmodule names a module that Kamailio does not have")
MODULE_LOADED_TWICE = Code("module-loaded-twice", ERROR, "a module is loaded a second time")
MODULE_NOT_LOADED = Code("module-not-loaded", ERROR, "a name is used whose module no loadmodule loads")
MODULE_LOADED_LATER = Code("module-loaded-later", ERROR, "a name is used above the loadmodule that brings it")
MISSING_DEPENDENCY = Code("missing-dependency", ERROR, "a module is loaded without one that it needs, or above it")
UNKNOWN_MODPARAM = Code("unknown-modparam", ERROR, "a module has no parameter of this name")
WRONG_MODPARAM_TYPE = Code("wrong-modparam-type", ERROR, "a modparam gets a string for a number or the reverse")
BAD_MODPARAM_VALUE = Code("bad-modparam-value", ERROR, "a module refuses the value of its parameter")
IGNORED_SETTING = Code("ignored-setting", WARNING, "a setting in the definition of a shared table is passed over")
BAD_BIND_ADDR = Code("bad-bind-addr", ERROR, "evapi's bind_addr is no address to listen on")
UNDEFINED_TIMER = Code("undefined-timer", ERROR, "a timer is named that no modparam above declares")
UNDEFINED_QUEUE = Code("undefined-queue", WARNING, "a queue is named that no modparam declares")
CORE_PARAMETER_TOO_LATE = Code("core-parameter-too-late", ERROR, "a core parameter stands below its last moment")
DUPLICATE_CUSTOM_VARIABLE = Code("duplicate-custom-variable", ERROR, "a custom variable is declared twice")
BAD_CUSTOM_VARIABLE = Code("bad-custom-variable", ERROR, "a value for a custom variable that is not declared so")
BAD_FLAG_DECLARATION = Code("bad-flag-declaration", ERROR, "a flag is declared twice or with a number beyond 31")
BAD_CFGENGINE = Code("bad-cfgengine", ERROR, "no loaded module gives this config engine")

ROUTES = Group("routes")

DUPLICATE_ROUTE = Code("duplicate-route", ERROR, "two route blocks of one kind have one name")
UNDEFINED_ROUTE = Code("undefined-route", ERROR, "a route is called that is not defined")
MISSING_ROUTE = Code("missing-route", WARNING, "a route that is to run later is not defined")
MISSPELT_EVENT_ROUTE = Code("misspelt-event-route", ERROR, "an event_route's name is nearly one that a module runs")
UNKNOWN_EVENT_ROUTE = Code("unknown-event-route", WARNING, "no module runs an event_route of this name")

SENSE = Group("sense")

UNUSED_ROUTE = Code("unused-route", WARNING, "a route block that nothing runs")
RECURSIVE_ROUTE = Code("recursive-route", WARNING, "a route calls itself, directly or through others")
UNREACHABLE_CODE = Code("unreachable-code", WARNING, "a statement stands behind one that always ends the block")
CASE_FALLS_THROUGH = Code("case-falls-through", WARNING, "a case without `break` runs into the next one")
STRAY_BREAK = Code("stray-break", WARNING, "`break` stands in no loop and no switch")
CONSTANT_CONDITION = Code("constant-condition", WARNING, "a condition is always true or always false")
ASSIGNED_CONDITION = Code("assigned-condition", WARNING, "a condition assigns where a comparison is meant")
UNUSED_DEFINE = Code("unused-define", WARNING, "a define whose name stands nowhere else")
NEVER_SET_VARIABLE = Code("never-set-variable", WARNING, "a variable is read that nothing sets")
UNEXPANDED_VARIABLE = Code("unexpanded-variable", WARNING, "a variable stands in a text that nobody fills in")
OPEN_BIND_ADDR = Code("open-bind-addr", WARNING, "evapi listens beyond this machine")
UNORDERED_WORKERS = Code("unordered-workers", WARNING, "evapi's workers may change the order of messages")
POLLING_WAIT_IDLE = Code("polling-wait-idle", WARNING, "evapi's workers look for messages rarely")
TAG_NEVER_SET = Code("tag-never-set", WARNING, "messages go to a tag, and no client is ever given one")
UNKNOWN_TAG = Code("unknown-tag", WARNING, "messages go to a tag that no client is ever given")
FRAME_TOO_LONG = Code("frame-too-long", WARNING, "a message is longer than evapi itself would take")
UNFRAMED_NEWLINE = Code("unframed-newline", WARNING, "a message ends in a line end, and framing is not said")
ASYNC_NOT_ENDED = Code("async-not-ended", WARNING, "a script goes on with a request that it has parked")
ASYNC_AFTER_REPLY = Code("async-after-reply", WARNING, "a request is parked that has been answered")
TEXT_TRANSACTION_ID = Code("text-transaction-id", WARNING, "t_continue gets a text for a number")
BAD_JSON_LITERAL = Code("bad-json-literal", WARNING, "a text that looks like JSON is none")
UNESCAPED_JSON_VALUE = Code("unescaped-json-value", WARNING, "a value from outside goes into JSON as it is")
QUOTED_JSON_FIELD = Code("quoted-json-field", WARNING, "a JSON field is compared that still has its quotes")
UNCHECKED_JSON_FIELD = Code("unchecked-json-field", WARNING, "a JSON field is used, whether it was there or not")
FOREIGN_REGEX = Code("foreign-regex", WARNING, "a regular expression means something else in POSIX")
NEVER_EQUAL = Code("never-equal", WARNING, "a number is compared with a text that is none")
JOINED_STRINGS = Code("joined-strings", WARNING, "two strings side by side are one argument")
ESCAPE_IN_SINGLE_QUOTES = Code("escape-in-single-quotes", WARNING, "single quotes take a backslash as it is written")
CARRIAGE_RETURN = Code("carriage-return", WARNING, "lines end as on Windows")
NUL_CHARACTER = Code("nul-character", WARNING, "a NUL stands in a file")
BIDI_CONTROL = Code("bidi-control", WARNING, "a character turns the direction in which text is shown")

SCRIPTS = Group("scripts in Python and Lua")

SCRIPT_NOT_READ = Code("script-not-read", ERROR, "a script cannot be read")
SCRIPT_SYNTAX = Code("script-syntax", ERROR, "a script is no Python")
SCRIPT_NOT_LOADED = Code("script-not-loaded", ERROR, "a script fails while `run` loads it")
MISSING_CALLBACK = Code("missing-callback", WARNING, "a script has no function of the name that is to be called")
CALLBACK_NOT_CALLED = Code("callback-not-called", WARNING, "a callback is named, but no cfgengine would call it")
UNKNOWN_EVENT_NAME = Code("unknown-event-name", WARNING, "a script compares its event with what is none's name")

FUNCTIONS = Group("functions")

UNKNOWN_FUNCTION = Code("unknown-function", ERROR, "no module has a function of this name")
WRONG_ARGUMENT_COUNT = Code("wrong-argument-count", ERROR, "a function does not take this number of arguments")
ROUTE_NOT_ALLOWED = Code("route-not-allowed", ERROR, "a function stands in a block that may not call it")
CALL_IN_ARGUMENT = Code("call-in-argument", ERROR, "a function is called inside the arguments of another one")
NON_CONSTANT_ARGUMENT = Code("non-constant-argument", ERROR, "a function that takes constants only gets a variable")
BAD_ARGUMENT = Code("bad-argument", ERROR, "a function refuses an argument when the file is loaded")
READ_ONLY_OUTPUT = Code("read-only-output", WARNING, "a function writes into a variable that cannot be assigned")
UNKNOWN_LOG_LEVEL = Code("unknown-log-level", WARNING, "a text is taken for a log level that has another name")
EVAPI_ASYNC_WITHOUT_TM = Code("evapi-async-without-tm", ERROR, "evapi_async_* is used but tm is not loaded")
ASYNC_WITHOUT_REQUEST = Code("async-without-request", WARNING, "evapi_async_* stands where no SIP request is handled")
FLAG_NOT_DECLARED = Code("flag-not-declared", ERROR, "a flag's name is not declared, or its number is beyond 31")

EXPRESSIONS = Group("variables, strings, expressions")

UNKNOWN_VARIABLE = Code("unknown-variable", ERROR, "no module has a pseudo-variable of this class")
BAD_VARIABLE_NAME = Code("bad-variable-name", ERROR, "the name in a variable's parentheses is not accepted")
BAD_VARIABLE_INDEX = Code("bad-variable-index", ERROR, "the index in a variable's brackets is not accepted")
BAD_VARIABLE = Code("bad-variable", ERROR, "the text behind a dollar sign is no pseudo-variable")
READ_ONLY_VARIABLE = Code("read-only-variable", ERROR, "a variable that cannot be assigned stands left of `=`")
TRANSFORMED_TARGET = Code("transformed-target", ERROR, "a variable with a transformation stands left of `=`")
UNDEFINED_TABLE = Code("undefined-table", WARNING, "no modparam defines a shared table of this name")
SHV_TOO_EARLY = Code("shv-too-early", ERROR, "$shv is used before Kamailio has shared memory")
UNKNOWN_TRANSFORMATION = Code("unknown-transformation", ERROR, "no module has this transformation")
BAD_TRANSFORMATION_ARGUMENT = Code(
    "bad-transformation-argument", ERROR, "a transformation lacks a parameter or gets one that it does not take"
)
UNKNOWN_SELECT = Code("unknown-select", WARNING, "a select that no loaded module gives")
BAD_REGEX = Code("bad-regex", ERROR, "a regular expression does not compile")
TYPE_MISMATCH = Code("type-mismatch", ERROR, "an operator gets a string for a number or the reverse")
NON_INTEGER_CONDITION = Code("non-integer-condition", ERROR, "while, return or switch gets a string for a number")
NON_CONSTANT_CASE = Code("non-constant-case", ERROR, "a case label is not constant")
MIXED_CASES = Code("mixed-cases", ERROR, "integer and string labels stand in one switch")
DUPLICATE_CASE = Code("duplicate-case", ERROR, "a case label stands twice in one switch")
DUPLICATE_DEFAULT = Code("duplicate-default", ERROR, "a switch has two defaults")
LOOPS_TOO_DEEP = Code("loops-too-deep", ERROR, "more loops and switches stand inside each other than can be run")


def by_name() -> dict[str, Code]:
    """All codes by their names."""
    return {value.name: value for value in globals().values() if isinstance(value, Code)}


def groups() -> dict[str, list[Code]]:
    """The codes below each heading of this file, in the order of their names."""
    found: dict[str, list[Code]] = {}
    for value in list(globals().values()):
        if isinstance(value, Group):
            found[value.title] = below = []
        elif isinstance(value, Code):
            below.append(value)
    return {title: sorted(members, key=lambda code: code.name) for title, members in found.items()}
