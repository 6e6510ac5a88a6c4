#!/usr/bin/env python3
"""The application beside async_auth.cfg, on asyncio: alice and bob may call, all others are refused."""

import asyncio
import json

MAY_CALL = {"alice", "bob"}


def decide(call):
    if call["caller"] not in MAY_CALL:
        return {"code": 403, "reason": "Forbidden"}
    return {"code": 302, "reason": "Moved Temporarily", "contact": f"sip:{call['callee']}@127.0.0.1:5070"}


async def main():
    reader, writer = await asyncio.open_connection("127.0.0.1", 8448)
    try:
        while True:  # a netstring: LENGTH:PAYLOAD,
            length = int((await reader.readuntil(b":"))[:-1])
            call = json.loads((await reader.readexactly(length + 1))[:-1])
            answer = {"index": call["index"], "label": call["label"], **decide(call)}
            print(call["caller"], "calls", call["callee"], "->", answer["code"], flush=True)
            payload = json.dumps(answer).encode()
            writer.write(b"%d:%b," % (len(payload), payload))
    except asyncio.IncompleteReadError:
        print("the server has gone")


asyncio.run(main())
