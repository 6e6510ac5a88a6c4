import json

import KSR as KSR


def mod_init():
    return Answers()


class Answers:
    """Kamailio has one of these in each of its processes; here all events and requests share one."""

    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        KSR.sl.send_reply(200 if msg.Method == "OPTIONS" else 405, "See evapi")
        return 1

    # Kamailio 5.6 wants a number from each function: without `return 1` the next event is lost.
    def ksr_evapi_event(self, msg, event):
        own = f"client-{KSR.pv.get('$evapi(conidx)')}"
        if event == "evapi:connection-new":
            KSR.evapi.set_tag(own)
        elif event == "evapi:message-received":
            try:
                answer = answer_to(KSR.pv.get("$evapi(msg)"))
            except (ValueError, KeyError, TypeError) as error:
                # no UTF-8, no JSON, or no request; what nobody catches is logged with its place
                KSR.warn(f"a bad request: {type(error).__name__}\n")
                answer = {"error": "send an id, what to do, and of what"}
            KSR.evapi.relay_unicast(json.dumps(answer), own)
        return 1


def answer_to(text):
    request = json.loads(text)
    do = {"sum": sum, "sorted": sorted}[request["do"]]
    return {"id": request["id"], "answer": do(request["of"])}
