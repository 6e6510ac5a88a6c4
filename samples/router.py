#!/usr/bin/env python3
"""The application beside router.cfg, on asyncio: a table says where each callee is."""

import asyncio
import json

# how to try the addresses of a callee, and which they are
TABLE = {
    "bob": ("serial", ["sip:bob@10.0.0.5", "sip:bob@10.0.0.6:5080"]),
    "sales": ("parallel", ["sip:carol@10.0.0.5", "sip:dave@10.0.0.5", "sip:sales@10.0.1.1"]),
}


def decide(call):
    routing, uris = TABLE.get(call["callee"], ("serial", []))
    return {"version": "1.0", "routing": routing, "routes": [{"uri": uri} for uri in uris]}


async def main():
    reader, writer = await asyncio.open_connection("127.0.0.1", 8448)
    try:
        while True:  # a netstring: LENGTH:PAYLOAD,
            length = int((await reader.readuntil(b":"))[:-1])
            call = json.loads((await reader.readexactly(length + 1))[:-1])
            document = decide(call)
            print(call["caller"], "calls", call["callee"], "->", len(document["routes"]), "routes", flush=True)
            payload = json.dumps({"index": call["index"], "label": call["label"], **document}).encode()
            writer.write(b"%d:%b," % (len(payload), payload))
    except asyncio.IncompleteReadError:
        print("the server has gone")


asyncio.run(main())
