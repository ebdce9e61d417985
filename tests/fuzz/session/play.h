// Turns choices into what clients do: whole packets of every type, in any order, now and then with
// bytes changed; connections that come, stall and go; time that passes.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "../../unit/runtime/fake_stream.h"
#include "core/out_buffer.h"
#include "mqtt/codec/encode.h"
#include "peer.h"
#include "world.h"

namespace trestle::fuzz {

class Play {
 public:
    explicit Play(Input& input) : input_(input), world_(input, 1 + input.below(2)) {}

    void run();

 private:
    static constexpr size_t kClients = 4;
    static constexpr size_t kMostConnections = 60;
    struct Line {
        test::Board board;
        std::shared_ptr<test::FakeStream*> stream;
        std::unique_ptr<Peer> peer;
        bool closed = false;  // by the client
        bool blocked = false;
        [[nodiscard]] bool alive() const { return stream && *stream != nullptr; }
    };
    struct Client {
        Line* line = nullptr;
        std::string last_publish;
    };
    /// How a packet is sent.
    struct Manner {
        bool changed = false;
        bool in_pieces = false;
    };

    void step();
    void act(uint8_t what, Client& client, Manner manner);
    void read_all();
    void check_at_rest();
    void finish();

    void open(Client& client);
    void close(Client& client);
    void toggle_block(Client& client);
    void connect(Client& client, Manner manner);
    void publish(Client& client, Manner manner);
    void publish_again(Client& client, Manner manner);
    void subscribe(Client& client, Manner manner);
    void unsubscribe(Client& client, Manner manner);
    void answer(Client& client, Manner manner);
    void acknowledge_anything(Client& client, Manner manner);
    void release(Client& client, Manner manner);
    void say_goodbye(Client& client, Manner manner);
    void send_odd_packet(Client& client, Manner manner);
    void pass_time();

    void send(Client& client, const OutBuffer& packet, Manner manner);
    void change(std::string& bytes);
    mqtt::Version version_of(const Client& client) const;

    Input& input_;
    SessionViews sessions_;
    std::vector<std::unique_ptr<Line>> lines_;  // all there ever were: streams may outlive them
    World world_;
    std::array<Client, kClients> clients_;
};

}  // namespace trestle::fuzz
