// A client on npm's netstring-stream: sends so many messages, a few at a time, and says what came back.
// The library reads whole frames only, so no more is on its way than arrives in one piece.
// node netstring_stream.js PORT COUNT
'use strict';
const net = require('net');
const Netstring = require('netstring-stream');

const [port, count] = process.argv.slice(2).map(Number);
const messages = Array.from({ length: count }, (_, n) => `${n}: żółw ${'x'.repeat((n * 37) % 300)}`);
const socket = net.connect(port, '127.0.0.1');
const writer = Netstring.writeStream();
writer.pipe(socket);
let sent = 0;
let answered = 0;
let same = 0;

function send() {
  for (let n = 0; n < 4 && sent < count; n += 1) writer.write(messages[sent++]);
}

socket.pipe(Netstring.readStream()).on('data', (data) => {
  if (data.toString() === messages[answered]) same += 1;
  answered += 1;
  if (answered === count) socket.destroy();
  else if (answered === sent) send();
});
socket.on('close', () => console.log(`${same} of ${count} came back`));
socket.on('connect', send);
