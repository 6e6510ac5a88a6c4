"""How the fixups that Kamailio's core offers to modules read constant arguments (core/mod_fix.c, core/sr_module.c).

For each fixup the readings of its arguments, from the first on; the last one counts for all that follow. A fixup that
is not here is a module's own; for some of those the catalogue has letters of the same kind.
"""

from __future__ import annotations

from enum import Enum, auto


class Reading(Enum):
    FORMAT = auto()  # a string whose variables are filled in
    INT = auto()  # a number or one variable
    NUMBER = auto()  # a number
    VARIABLE = auto()  # one variable, and what stands behind it is passed over
    REGEX = auto()
    SUBSTITUTION = auto()  # /regex/replacement/flags
    PLAIN = auto()  # anything


_LETTERS = {
    "f": Reading.FORMAT,
    "i": Reading.INT,
    "n": Reading.NUMBER,
    "v": Reading.VARIABLE,
    "r": Reading.REGEX,
    "x": Reading.SUBSTITUTION,
    "-": Reading.PLAIN,
}

_TABLE = """
spve_null f    spve_spve f    spve_all f     spve_igp fi    spve_spve_igp ffi  spve_uint fn   spve_str f-
spve_pvar fv   spve1_pvar fv  spve2_pvar ffv spve3_pvar fffv spve4_pvar ffffv  none_spve -f-  vstr_all f
igp_null i     igp_igp i      igp_all i      igp_pvar iv    igp_pvar_pvar iv   igp_spve if    igp_regexp ir
pvar_null v    pvar_none v-   pvar_pvar v    pvar_pvar_pvar v pvar_all v       pvar_str v-    pvar_str_str v-
pvar_uint vn   regexp_null r  regexp_none r- regexp_regexp r  regex_1 r-       regex_2 -r-    regex_12 r
uint_null n    uint_uint n    int_1 n-       int_2 -n-      int_12 n           str_null -     str_str -
str_all -      var_str_1 -    var_str_2 -    var_str_12 -   var_pve_12 f       ssi ffi        sis fif
sii fii        sssi fffi      ssii ffii      isi ifi        iss iff            iiss iiff      isii ifii
isiii ifiii    var_int_1 i-   var_int_2 -i-  var_int_12 i   var_pve_str_1 f-   var_pve_str_2 -f-  var_pve_str_12 f
substre x-
"""

FIXUPS: dict[str, tuple[Reading, ...]] = {
    f"fixup_{name}": tuple(_LETTERS[letter] for letter in letters)
    for name, letters in zip(_TABLE.split()[::2], _TABLE.split()[1::2], strict=True)
}


_OUTPUTS = {"fixup_spve_pvar": (1, False)} | {f"fixup_spve{n}_pvar": (n, True) for n in (1, 2, 3, 4)}


def output(fixup: str) -> tuple[int, bool] | None:
    """The argument, counted from 0, that a function with this fixup writes into, and whether Kamailio looks at start
    if it can be assigned (core/mod_fix.c: fixup_spve_n_pvar)."""
    return _OUTPUTS.get(fixup)


def reading(fixup: str, own: str, argument: int) -> Reading:
    """How a fixup reads argument number `argument`, counted from 0. `own`: the letters of a module's own fixup."""
    readings = FIXUPS.get(fixup)
    if readings is None:
        return _LETTERS[own[argument]] if argument < len(own) else Reading.PLAIN
    return readings[min(argument, len(readings) - 1)]
