// Majordomo (ZeroMQ RFC 7) in Node, from the ZeroMQ guide's description:
//
//   node majordomo.mjs worker ADDRESS SERVICE          answers each job in capitals
//   node majordomo.mjs client ADDRESS SERVICE TEXT...  asks, and prints each answer
import { Dealer, Request } from "zeromq";

const [READY, REQUEST, REPLY, HEARTBEAT, DISCONNECT] = [1, 2, 3, 4, 5].map((c) => Buffer.from([c]));

async function worker(address, service) {
  for (;;) {
    const socket = new Dealer({ linger: 0 });
    socket.connect(address);
    // A socket of zeromq.js sends one message at a time.
    let sent = Promise.resolve();
    const say = (command, ...frames) => {
      sent = sent.then(() => socket.send(["", "MDPW01", command, ...frames]));
      return sent;
    };
    await say(READY, service);
    const beat = setInterval(() => say(HEARTBEAT), 2500);
    for await (const [, , command, tag, , ...body] of socket) {
      if (command.equals(DISCONNECT)) break;
      if (!command.equals(REQUEST)) continue;
      await say(REPLY, tag, "", body.at(-1).toString().toUpperCase());
    }
    clearInterval(beat);
    socket.close();
  }
}

async function client(address, service, ...texts) {
  const socket = new Request({ linger: 0 });
  socket.connect(address);
  for (const text of texts) {
    await socket.send(["MDPC01", service, text]);
    const [, , ...body] = await socket.receive();
    console.log(body.join(" "));
  }
  socket.close();
}

const [role, ...rest] = process.argv.slice(2);
await { worker, client }[role](...rest);
