// A conversation by the package `ws`: node ws.mjs URL [SUBPROTOCOL]
// Each line of standard input is a frame to be sent, or `close`. Prints `open SUBPROTOCOL EXTENSIONS`,
// each frame that comes as a line, and at the end `closed CODE`.
import readline from "node:readline";
import WebSocket from "ws";

const [url, subprotocol] = process.argv.slice(2);
const socket = subprotocol ? new WebSocket(url, subprotocol) : new WebSocket(url);
socket.onmessage = (event) => console.log(event.data);
socket.onclose = (event) => {
  console.log(`closed ${event.code}`);
  process.exit(0);
};
socket.onerror = (event) => console.error(event.message);
socket.onopen = async () => {
  console.log(`open ${socket.protocol} ${socket.extensions}`.replace("  ", " "));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (line === "close") socket.close(1000);
    else socket.send(line);
  }
};
