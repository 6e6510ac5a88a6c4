"""Transformations, `$(var(x){class.op,arguments})`: one tuple for each Kamailio module that has some.

A declaration reads its arguments when the cfg is loaded and gives a function that is called for each message; see
`arguments` for the first and `chain` for the second. Where versions differ 6.1 counts. What only happens because
Kamailio reads beyond a buffer or loops for ever is not followed; the docstrings of those functions say so.
"""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.spec import Transformation
from evapi_cfg.modules.transformations.addresses import ADDRESSES
from evapi_cfg.modules.transformations.encodings import ENCODINGS
from evapi_cfg.modules.transformations.lines import LINES
from evapi_cfg.modules.transformations.others import MSRP_URIS, SOCKETS, URLS
from evapi_cfg.modules.transformations.params import PARAMS
from evapi_cfg.modules.transformations.plain_values import PLAIN_VALUES
from evapi_cfg.modules.transformations.strings import STRINGS
from evapi_cfg.modules.transformations.substitution import SUBSTITUTION
from evapi_cfg.modules.transformations.uris import URIS

PV: Final[tuple[Transformation, ...]] = (
    *STRINGS, *ENCODINGS, *URIS, *PARAMS, *ADDRESSES, *LINES, *PLAIN_VALUES,
)  # fmt: skip
COREX: Final[tuple[Transformation, ...]] = SOCKETS
TEXTOPS: Final[tuple[Transformation, ...]] = SUBSTITUTION
XHTTP: Final[tuple[Transformation, ...]] = URLS
MSRP: Final[tuple[Transformation, ...]] = MSRP_URIS
