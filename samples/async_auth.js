#!/usr/bin/env node
// The application beside async_auth.cfg, on Node without packages: alice and bob may call, all others are refused.
const net = require("net");

const mayCall = new Set(["alice", "bob"]);

function decide(call) {
  if (!mayCall.has(call.caller)) return { code: 403, reason: "Forbidden" };
  return { code: 302, reason: "Moved Temporarily", contact: `sip:${call.callee}@127.0.0.1:5070` };
}

const socket = net.connect(8448, "127.0.0.1");
let received = Buffer.alloc(0);

socket.on("data", (bytes) => {
  received = Buffer.concat([received, bytes]);
  for (;;) { // a netstring: LENGTH:PAYLOAD,
    const start = received.indexOf(":") + 1;
    const end = start + parseInt(received.toString("latin1", 0, start), 10);
    if (start === 0 || received.length <= end) return;
    const call = JSON.parse(received.subarray(start, end));
    received = received.subarray(end + 1);
    const answer = { index: call.index, label: call.label, ...decide(call) };
    console.log(call.caller, "calls", call.callee, "->", answer.code);
    const payload = Buffer.from(JSON.stringify(answer));
    socket.write(`${payload.length}:${payload},`);
  }
});
socket.on("error", (error) => console.error(error.message));
socket.on("close", () => console.log("the server has gone"));
