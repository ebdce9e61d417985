// Work over ROUTER and DEALER: libzmq alone, and a worker of Trestle's own protocol
// (plugins/zmq/PROTOCOL.md) that drains a gateway's queue. Prints RESULT and a line of JSON.
//
//   zmq_worker bare SIZE COUNT               a ROUTER sends to a DEALER, each in a thread
//   zmq_worker bare-acked SIZE COUNT WINDOW  the same; the DEALER acknowledges, the ROUTER keeps
//                                            within the window
//   zmq_worker native ADDRESS SERVICE COUNT WINDOW [BUNDLE]
//                                            takes so many jobs in one message
#include <zmq.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "util.h"

namespace {

using Clock = std::chrono::steady_clock;

void* open_socket(void* context, int type) {
    void* socket = zmq_socket(context, type);
    const int hwm = 10'000, linger = 0;
    zmq_setsockopt(socket, ZMQ_SNDHWM, &hwm, sizeof hwm);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &hwm, sizeof hwm);
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    return socket;
}

void report(const char* what, uint64_t count, Clock::duration took) {
    const double seconds = std::chrono::duration<double>(took).count();
    std::printf("RESULT {\"what\": \"%s\", \"messages\": %llu, \"per_s\": %.0f}\n", what,
                static_cast<unsigned long long>(count), static_cast<double>(count) / seconds);
}

/// Reads whole messages; says how long each first frame and last frame was.
size_t receive(void* socket, std::string& first) {
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    size_t frames = 0, last = 0;
    do {
        if (zmq_msg_recv(&frame, socket, 0) < 0) die("zmq_msg_recv");
        if (frames++ == 0) {
            first.assign(static_cast<const char*>(zmq_msg_data(&frame)), zmq_msg_size(&frame));
        }
        last = zmq_msg_size(&frame);
    } while (zmq_msg_more(&frame));
    zmq_msg_close(&frame);
    return last;
}

/// The first frames of a message, as many as there is room for.
void receive_frames(void* socket, std::vector<std::string>& frames) {
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    size_t at = 0;
    do {
        if (zmq_msg_recv(&frame, socket, 0) < 0) die("zmq_msg_recv");
        if (at == frames.size()) continue;
        frames[at++].assign(static_cast<const char*>(zmq_msg_data(&frame)), zmq_msg_size(&frame));
    } while (zmq_msg_more(&frame));
    zmq_msg_close(&frame);
}

void bare_dealer(void* context, std::string address, uint64_t count, uint64_t window) {
    void* socket = open_socket(context, ZMQ_DEALER);
    if (zmq_connect(socket, address.c_str()) != 0) die("zmq_connect");
    zmq_send(socket, "hello", 5, 0);
    std::string first;
    const std::string acks(8 * (window / 2 + 1), 'a');
    uint64_t open = 0;
    for (uint64_t i = 0; i < count; ++i) {
        receive(socket, first);
        if (window != 0 && ++open == window / 2) {
            zmq_send(socket, acks.data(), 8 * open, 0);
            open = 0;
        }
    }
    zmq_send(socket, "end", 3, 0);
    receive(socket, first);
    zmq_close(socket);
}

void bare(size_t size, uint64_t count, uint64_t window) {
    void* context = zmq_ctx_new();
    void* router = open_socket(context, ZMQ_ROUTER);
    const int waits = 1;  // for room, rather than drop
    zmq_setsockopt(router, ZMQ_ROUTER_MANDATORY, &waits, sizeof waits);
    if (zmq_bind(router, "tcp://127.0.0.1:*") != 0) die("zmq_bind");
    char address[256];
    size_t length = sizeof address;
    zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, address, &length);
    std::thread dealer(bare_dealer, context, std::string(address), count, window);
    std::string id, ignored;
    receive(router, id);
    const std::string payload(size, 'x');
    const auto begun = Clock::now();
    uint64_t room = window == 0 ? count : window;
    for (uint64_t i = 0; i < count; ++i) {
        while (room == 0) {
            room += receive(router, ignored) / 8;
        }
        --room;
        zmq_send(router, id.data(), id.size(), ZMQ_SNDMORE);
        zmq_send(router, payload.data(), payload.size(), 0);
    }
    while (receive(router, ignored) != 3) {
    }
    report(window == 0 ? "bare ROUTER to DEALER" : "bare, acknowledged", count,
           Clock::now() - begun);
    zmq_send(router, id.data(), id.size(), ZMQ_SNDMORE);
    zmq_send(router, "bye", 3, 0);
    dealer.join();
    zmq_close(router);
    zmq_ctx_term(context);
}

void put_number(std::string& out, uint32_t number) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(number >> shift));
}

uint32_t number_at(const std::string& text, size_t at) {
    uint32_t number = 0;
    for (size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<unsigned char>(text[at + i]);
    return number;
}

/// The tags of the jobs in one message, appended; how many they are. Of several jobs it also walks
/// over the payloads, as a worker would.
uint64_t take_jobs(const std::vector<std::string>& frames, std::string& tags) {
    constexpr size_t kHead = 5, kTag = 8, kEntry = 8 + 4 + 2;
    const std::string& head = frames[0];
    const auto command = static_cast<unsigned char>(head[4]);
    if (command == 0x82) {
        tags.append(head, kHead, kTag);
        return 1;
    }
    if (command != 0x83) return 0;
    uint64_t jobs = 0;
    size_t at = 0;
    for (size_t entry = kHead; entry < head.size(); entry += kEntry, ++jobs) {
        tags.append(head, entry, kTag);
        at += 4 + number_at(frames[1], at);
    }
    if (at != frames[1].size()) die("payloads that do not fit their jobs");
    return jobs;
}

void native(const char* address, const std::string& service, uint64_t count, uint32_t window,
            uint32_t bundle) {
    void* context = zmq_ctx_new();
    void* socket = open_socket(context, ZMQ_DEALER);
    if (zmq_connect(socket, address) != 0) die("zmq_connect");
    std::string hello("TRW1\x01", 5);
    put_number(hello, window);
    if (bundle > 1) put_number(hello, bundle);
    zmq_send(socket, hello.data(), hello.size(), ZMQ_SNDMORE);
    zmq_send(socket, service.data(), service.size(), 0);
    std::vector<std::string> frames(2);
    std::string acks("TRW1\x03", 5);
    Clock::time_point begun;
    for (uint64_t done = 0; done < count;) {
        receive_frames(socket, frames);
        const uint64_t jobs = take_jobs(frames, acks);
        if (jobs == 0) continue;
        if (done == 0) begun = Clock::now();
        done += jobs;
        if (acks.size() >= 5 + 8 * (window / 2) || done == count) {
            zmq_send(socket, acks.data(), acks.size(), 0);
            acks.resize(5);
        }
    }
    report(bundle > 1 ? "native, bundles" : "native", count, Clock::now() - begun);
    zmq_send(socket, "TRW1\x0a", 5, 0);
    const int linger = 1000;
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_close(socket);
    zmq_ctx_term(context);
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    const auto number = [&](size_t i) { return std::strtoull(words[i].c_str(), nullptr, 10); };
    if (words.size() == 3 && words[0] == "bare") {
        bare(number(1), number(2), 0);
    } else if (words.size() == 4 && words[0] == "bare-acked") {
        bare(number(1), number(2), number(3));
    } else if ((words.size() == 5 || words.size() == 6) && words[0] == "native") {
        const auto bundle = words.size() == 6 ? static_cast<uint32_t>(number(5)) : 1;
        native(words[1].c_str(), words[2], number(3), static_cast<uint32_t>(number(4)), bundle);
    } else {
        die("usage: see the head of zmq_worker.cpp");
    }
}
