"""`table=>key`: the name in the parentheses of $sht and its like, and the argument of sht_lock and its like
(htable/ht_var.c: pv_parse_ht_name). The key is a format, all of it, blanks and further `=>` included."""

from __future__ import annotations

import re
from typing import Final

from evapi_cfg.source import show

_FORM: Final = re.compile(r"[ \t\r\n]*([^= \t\r\n]*)[ \t\r\n]*=>")
VARIABLES: Final = ("sht", "shtex", "shtcn", "shtcv", "shtinc", "shtdec")  # those whose names are of this form
# The functions of Kamailio whose argument is of this form, and those with a table's name in the argument of that number
WITH_KEY: Final = ("sht_lock", "sht_unlock", "sht_rm_name_re", "sht_rm_value_re")
WITH_NAME: Final = {
    "sht_iterator_start": 1,
    **dict.fromkeys(
        (
            "sht_rm",
            "sht_rm_name",
            "sht_rm_value",
            "sht_match_name",
            "sht_has_name",
            "sht_match_str_value",
            "sht_has_str_value",
            "sht_reset",
            "sht_setxs",
            "sht_setxi",
            "sht_is_null",
            "sht_inc",
            "sht_dec",
        ),
        0,
    ),
}


def split(text: str) -> tuple[str, int] | None:
    """The table's name, and where the key begins; None where the text is not of this form."""
    found = _FORM.match(text)
    return None if found is None else (found[1], found.end())


def wrong_form(text: str) -> str:
    """What there is to say about a text that is not of this form."""
    return f"`{show(text)}` is not of the form `table=>key`"
