"""textops: searching, replacing, headers and bodies of the message as text (modules/textops).

Nothing here sends a message: what is changed in a request is seen after msg_apply_changes(), what is put into replies
when one is sent. is_audio_on_hold() would have to read SDP.
"""

from __future__ import annotations

from evapi_cfg.modules.spec import ModuleSpec
from evapi_cfg.modules.textops import body, headers, kinds, multipart, search, strings, substitute
from evapi_cfg.modules.transformations import TEXTOPS

MODULE = ModuleSpec(
    "textops",
    functions=(
        *search.FUNCTIONS,
        *substitute.FUNCTIONS,
        *headers.FUNCTIONS,
        *body.FUNCTIONS,
        *multipart.FUNCTIONS,
        *kinds.FUNCTIONS,
        *strings.FUNCTIONS,
    ),
    transformations=TEXTOPS,
    kemi=(
        *search.KEMI,
        *substitute.KEMI,
        *headers.KEMI,
        *body.KEMI,
        *multipart.KEMI,
        *kinds.KEMI,
        *strings.KEMI,
    ),
    init=substitute.init,
    doc="the message as text: searching, replacing, headers, bodies",
)
