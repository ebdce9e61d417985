// MQTT.js on a leash: one command per line of standard input, one event per line of standard
// output, both JSON, each with the name of the client that it is about. Payloads and correlation
// data travel as base64.
import { createInterface } from "node:readline";
import mqtt from "mqtt";

const clients = new Map();

function sayAs(name, event, more = {}) {
  process.stdout.write(JSON.stringify({ name, event, ...more }) + "\n");
}

function bytes(text) {
  return Buffer.from(text ?? "", "base64");
}

function properties(given) {
  if (!given) return undefined;
  const { correlationData, ...rest } = given;
  return correlationData === undefined ? rest : { ...rest, correlationData: bytes(correlationData) };
}

function shown(given) {
  if (!given) return {};
  const { correlationData, ...rest } = given;
  return correlationData === undefined
    ? rest
    : { ...rest, correlationData: correlationData.toString("base64") };
}

const commands = {
  connect({ url, options }, say, _client, name) {
    const will = options.will && { ...options.will, payload: bytes(options.will.payload) };
    const client = mqtt.connect(url, { reconnectPeriod: 0, ...options, ...(will && { will }) });
    clients.set(name, client);
    client.on("connect", (connack) =>
      say("connected", { session: connack.sessionPresent, properties: shown(connack.properties) }));
    client.on("message", (topic, payload, packet) =>
      say("message", {
        topic,
        payload: payload.toString("base64"),
        qos: packet.qos,
        retain: packet.retain,
        properties: shown(packet.properties),
      }));
    client.on("packetreceive", (packet) => {
      if (packet.cmd === "publish" && packet.properties?.topicAlias) {
        say("alias", { alias: packet.properties.topicAlias, topic: packet.topic });
      }
    });
    client.on("packetsend", (packet) => {
      if (packet.cmd === "publish" && packet.properties?.topicAlias) {
        say("alias_sent", { alias: packet.properties.topicAlias, topic: packet.topic });
      }
    });
    client.on("error", (error) => say("error", { message: error.message, code: error.code }));
    client.on("close", () => say("closed"));
  },
  subscribe({ filter, options }, say, client) {
    client.subscribe(filter, options, (error, granted) =>
      say(error ? "error" : "subscribed", { message: error?.message, granted: granted?.map((g) => g.qos) }));
  },
  unsubscribe({ filter }, say, client) {
    client.unsubscribe(filter, (error) => say(error ? "error" : "unsubscribed", { message: error?.message }));
  },
  publish({ topic, payload, options }, say, client) {
    const sent = { ...options, properties: properties(options.properties) };
    client.publish(topic, bytes(payload), sent, (error) =>
      say(error ? "error" : "published", { message: error?.message }));
  },
  /// Numbers as text, one after the other.
  count({ topics, from, to, options }, say, client) {
    let left = to - from;
    for (let i = from; i < to; ++i) {
      client.publish(topics[i % topics.length], String(i), options, (error) => {
        if (error) say("error", { message: error.message });
        if (--left === 0) say("counted");
      });
    }
  },
  /// Without DISCONNECT.
  cut(_, _say, client) {
    client.stream.destroy();
  },
  disconnect(_, say, client) {
    client.end(false, {}, () => say("ended"));
  },
  forget(_, _say, client, name) {
    client?.end(true);
    clients.delete(name);
  },
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { do: command, name, ...more } = JSON.parse(line);
    commands[command](more, (event, told) => sayAs(name, event, told), clients.get(name), name);
  })
  .on("close", () => process.exit(0));
