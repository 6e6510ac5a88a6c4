"""Tables of the language's own words: how each is written, and in a sentence what it is for.

Which words there are says `syntax.keywords`; a test sees to it that each of them is explained.
"""

from __future__ import annotations

from typing import Final

# Statements, blocks, operators. A line of forms for each way to write it.
_WORDS: Final = """
if | if (condition) statement else statement
    runs one of two statements; a block in braces is one
else | if (condition) statement else statement
    begins what runs where the condition does not hold
while | while (condition) statement
    runs a statement as long as the condition holds, `max_while_loops` times at most
switch | switch (expression) { case value: ... break; default: ... }
    goes to the label that is equal
case | case value: | case /"expression":
    a label of a `switch`; it is constant, and all of a switch are numbers or all are strings
default | default:
    the label of a `switch` for all other values
break | break;
    leaves the `switch` or the `while` that it stands in
return | return; | return number;
    goes back to where the route was called, with a code that is `$rc` there
exit | exit;
    ends the script for this message
drop | drop;
    ends the script; in a reply or a branch route the message is not sent on
route | route(NAME); | route[NAME] { ... }
    calls a route block, or defines one
request_route | request_route { ... }
    runs for each SIP request
failure_route | failure_route[NAME] { ... }
    runs when a transaction fails for which `t_on_failure("NAME")` has been called
onreply_route | onreply_route[NAME] { ... }
    runs for the replies of a transaction for which `t_on_reply("NAME")` has been called
reply_route | reply_route { ... }
    runs for each SIP reply, before its transaction is looked for
branch_route | branch_route[NAME] { ... }
    runs for each branch before it is sent, where `t_on_branch("NAME")` has been called
onsend_route | onsend_route { ... }
    runs when a request is about to be sent on; few functions may stand in it
event_route | event_route[module:event] { ... }
    runs when a module has something to tell
loadmodule | loadmodule "NAME.so"
    loads a module; its functions, variables and parameters are there from this line on
loadmodulex | loadmodulex "NAME.so"
    as `loadmodule`, with variables in the name filled in
loadpath | loadpath "DIRECTORY:DIRECTORY"
    where modules are looked for
modparam | modparam("MODULE", "NAME", value)
    sets a parameter of a module that is loaded above, or of several: `"tm|sl"`
modparamx | modparamx("MODULE", "NAME", value)
    as `modparam`, with variables in the value filled in
cfgengine | cfgengine "NAME"
    which language the routes are written in: `native` is this one
kemi | kemi.reply_route_callback = "NAME"
    names the function of a script in another language that runs in the place of a block
flags | flags NAME:NUMBER, NAME;
    gives names to flags 0 to 31, for `setflag` and its like
avpflags | avpflags NAME;
    gives names to flags of AVPs
include_file | include_file "FILE"
    reads another file in this place
import_file | import_file "FILE"
    reads another file in this place, if it is there
and | a and b | a && b
    true where both are; the right side is looked at only if the left one is true
or | a or b | a || b
    true where one is; the right side is looked at only if the left one is false
not | not a | !a
    turns true and false around; it binds tighter than a comparison
mod | a mod b
    what is left over of a division of whole numbers
eq | a eq b
    whether two texts are equal
ne | a ne b
    whether two texts differ
ieq | a ieq b
    whether two numbers are equal
ine | a ine b
    whether two numbers differ
defined | defined $avp(x)
    whether there is a value
strlen | strlen(text)
    the number of bytes
strempty | strempty(text)
    whether a text is empty
selval | selval(condition, value, other value)
    one of two values, as `? :` in other languages
"""

# Directives behind `#!`.
_DIRECTIVES: Final = """
define | NAME value
    from here on the value stands where the name does, outside of strings
trydefine | NAME value
    as `#!define`, unless the name has a value
redefine | NAME value
    as `#!define`, also where the name has a value
defexp | NAME expression
    defines a name as what an expression comes to
defexps | NAME expression
    as `#!defexp`, in quotes
undefine | NAME
    forgets a define
tryundefine | NAME
    forgets a define, if there is one
ifdef | NAME
    the lines up to `#!else` or `#!endif` count if the name is defined
ifndef | NAME
    the lines up to `#!else` or `#!endif` count if the name is not defined
ifexp | expression
    the lines up to `#!else` or `#!endif` count if it is true, such as `KAMAILIO_VERSION >= 5008000`
else
    turns the condition around; nothing may stand behind it on its line
endif
    ends the condition; nothing may stand behind it on its line
subst | "/regex/replacement/flags"
    replaces inside of strings, from here on
substdef | "/NAME/value/"
    as `#!subst`, and defines the name
substdefs | "/NAME/value/"
    as `#!substdef`, where the define is in quotes
defenv | NAME=VARIABLE
    defines a name as the value of an environment variable, which must be set
defenvs | NAME=VARIABLE
    as `#!defenv`, in quotes
trydefenv | NAME=VARIABLE
    as `#!defenv`, if the variable is set
trydefenvs | NAME=VARIABLE
    as `#!defenvs`, if the variable is set
include_file | "FILE"
    reads another file in this place
import_file | "FILE"
    reads another file in this place, if it is there
"""

SHORT: Final = {
    "def": "define",
    "trydef": "trydefine",
    "redef": "redefine",
    "undef": "undefine",
    "tryundef": "tryundefine",
}
MODES: Final = ("KAMAILIO", "OPENSER", "SER", "MAXCOMPAT", "ALL")

# Operands of conditions, and the pseudo-variables that say the same.
OPERANDS: Final = {
    "method": "$rm",
    "uri": "$ru",
    "status": "$rs",
    "from_uri": "$fu",
    "to_uri": "$tu",
    "src_ip": "$si",
    "src_port": "$sp",
    "dst_ip": "$Ri",
    "dst_port": "$Rp",
    "proto": "$proto",
    "af": "$af",
    "snd_ip": "$sndto(ip)",
    "snd_port": "$sndto(port)",
    "snd_proto": "$sndto(proto)",
    "snd_af": "$sndto(af)",
    "to_ip": "$sndto(ip)",
    "to_port": "$sndto(port)",
    "to_proto": "$sndto(proto)",
    "to_af": "$sndto(af)",
    "msg:len": "$ml",
    "myself": 'is_myself("...")',
    "uri:host": "$rd",
    "uri:port": "$rp",
}

# Words that are a part of something else, by their terminals in grammar/kamailio.lark.
PARTS: Final = {
    "PROTOCOL": "a protocol, as in `listen=udp:127.0.0.1:5060`",
    "WEBSOCKET": "a protocol, in comparisons with `proto`",
    "TLS_VERSION": "a value of `tls_method`",
    "NAME": 'the name of a socket: `listen=udp:127.0.0.1:5060 name "edge"`',
    "ADVERTISE": "the address that a socket tells others: `listen=udp:10.0.0.1:5060 advertise 192.0.2.1:5060`",
    "VIRTUAL": "an address that this machine need not have: `listen=udp:10.0.0.1:5060 virtual`",
    "DESCRIPTION": 'words about a custom variable: `chat.limit = 5 desc "rooms"`',
    "BIND": "a part of `socket = { ... }`: the address",
    "AGNAME": "a part of `socket = { ... }`: the group of workers that reads from it",
    "VRF": "a part of `socket = { ... }`: the VRF interface",
    "KEMI_CALLBACK": "the name of a function that runs in the place of a block: `kemi.reply_route_callback`",
    "RESERVED": "reserved; no rule of the language has it",
}

# What stands for something in the forms of core/cfg.y.
SYMBOLS: Final = {
    "STRING": "text",
    "NUMBER": "number",
    "INT": "number",
    "EXPR": "expression",
    "HOST": "host",
    "IP": "address",
    "flag_name": "name",
    "phostport": "proto:host:port",
    "listen_id": "host",
    "attr_id_any_str": "variable",
    "proto": "protocol",
}


def _table(text: str) -> dict[str, tuple[tuple[str, ...], str]]:
    """Forms and sentence by word."""
    lines = text.strip("\n").split("\n")
    heads = (line.split(" | ") for line in lines[::2])
    return {word: (tuple(forms), what.strip()) for (word, *forms), what in zip(heads, lines[1::2], strict=True)}


WORDS: Final = _table(_WORDS)
DIRECTIVES: Final = _table(_DIRECTIVES)
