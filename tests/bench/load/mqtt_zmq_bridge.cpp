// The obvious bridge a user writes today: libmosquitto on one side, libzmq on the other.
//   mqtt_zmq_bridge out      HOST PORT tcp://127.0.0.1:5556   MQTT '#' -> PUB  [topic][payload]
//   mqtt_zmq_bridge out-push HOST PORT tcp://127.0.0.1:5556   MQTT '#' -> PUSH [topic][payload]
//   mqtt_zmq_bridge in       HOST PORT tcp://127.0.0.1:5557   PULL [topic][payload] -> MQTT
#include <mosquitto.h>
#include <zmq.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

void on_connect(mosquitto* m, void*, int rc) {
    if (rc == 0) mosquitto_subscribe(m, nullptr, "#", 1);
}

void on_message(mosquitto*, void* user, const mosquitto_message* msg) {
    zmq_send(user, msg->topic, std::strlen(msg->topic), ZMQ_SNDMORE);
    zmq_send(user, msg->payload, size_t(msg->payloadlen), 0);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5)
        return std::fprintf(stderr, "usage: mqtt_zmq_bridge out|out-push|in HOST PORT ENDPOINT\n"),
               2;
    const std::string mode = argv[1];
    const bool outward = mode != "in";
    void* ctx = zmq_ctx_new();
    void* sock = zmq_socket(ctx, mode == "out" ? ZMQ_PUB : outward ? ZMQ_PUSH : ZMQ_PULL);
    const int hwm = 1'000'000;
    zmq_setsockopt(sock, ZMQ_SNDHWM, &hwm, sizeof hwm);
    zmq_setsockopt(sock, ZMQ_RCVHWM, &hwm, sizeof hwm);
    if (zmq_bind(sock, argv[4])) return std::perror("zmq_bind"), 1;

    mosquitto_lib_init();
    mosquitto* m = mosquitto_new(nullptr, true, sock);
    mosquitto_int_option(m, MOSQ_OPT_TCP_NODELAY, 1);
    if (outward) {
        mosquitto_connect_callback_set(m, on_connect);
        mosquitto_message_callback_set(m, on_message);
    }
    if (mosquitto_connect(m, argv[2], std::atoi(argv[3]), 60))
        return std::fprintf(stderr, "connect\n"), 1;
    if (outward) return mosquitto_loop_forever(m, -1, 1);

    mosquitto_loop_start(m);
    zmq_msg_t topic, payload;
    zmq_msg_init(&topic);
    zmq_msg_init(&payload);
    while (zmq_msg_recv(&topic, sock, 0) >= 0 && zmq_msg_recv(&payload, sock, 0) >= 0) {
        const std::string t(static_cast<const char*>(zmq_msg_data(&topic)), zmq_msg_size(&topic));
        mosquitto_publish(m, nullptr, t.c_str(), int(zmq_msg_size(&payload)),
                          zmq_msg_data(&payload), 0, false);
    }
    return 0;
}
