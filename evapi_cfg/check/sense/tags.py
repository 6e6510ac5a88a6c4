"""Pass: tags that messages are sent to, and that no client ever gets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evapi_cfg.check.context import Context
from evapi_cfg.check.sense.arguments import SENDING, literal, modparams, parts
from evapi_cfg.check.sense.unseen import has_other_scripts, is_part, outside_comments
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.syntax.ast import Call


def check(context: Context) -> Iterator[Diagnostic]:
    if "evapi" not in context.scope.loaded or is_part(context) or has_other_scripts(context):
        return
    sending = [call for call, _ in context.index.calls if SENDING.get(call.name, (0, None))[1] is not None]
    if not sending or any(True for _ in modparams(context, "evapi", "event_callback")):
        return  # the script in another language may set them
    setting = [call for call, _ in context.index.calls if call.name == "evapi_set_tag" and call.args]
    if _is_skipped(context, len(setting)):
        return
    if not setting:
        yield Diagnostic(
            codes.TAG_NEVER_SET,
            f"`{sending[0].name}` reaches nobody: no client is ever given a tag",
            sending[0].name_span,
            'call `evapi_set_tag("...")` in event_route[evapi:connection-new] or [evapi:message-received]',
            ("Kamailio says nothing about this, and the call gives 1 in most processes",),
        )
    else:
        yield from _unknown(sending, setting)


def _is_skipped(context: Context, calls: int) -> bool:
    """Whether more calls give tags than the file has now: in a part that is skipped."""
    name = "evapi_set_tag"
    if sum(file.text.count(name) for file in context.config.files) <= calls:
        return False
    return outside_comments(context).count(name) > calls


def _unknown(sending: list[Call], setting: list[Call]) -> Iterator[Diagnostic]:
    given: list[str] = []
    patterns: list[re.Pattern[str]] = []
    for call in setting:
        text = literal(call, 0)
        if text is None:
            return
        if "$" in text.value:
            pieces = (re.escape(part) if isinstance(part, str) else ".*" for part in parts(text))
            patterns.append(re.compile("".join(pieces), re.DOTALL))
        else:
            given.append(text.value)
    for call in sending:
        number = SENDING[call.name][1]
        tag = literal(call, number)
        if tag is None or not tag.value or "$" in tag.value:
            continue
        if tag.value not in given and not any(pattern.fullmatch(tag.value) for pattern in patterns):
            yield Diagnostic(
                codes.UNKNOWN_TAG,
                f"no client is ever given the tag `{tag.value}`",
                tag.span,
                did_you_mean(tag.value, given),
                (SILENT,),
            )
