// One MQTT connection: its stream and the cutting of bytes into packets. The rules are the
// client's.
//
// Before CONNECT it lives on the shard that accepted the stream; the CONNECT packet tells the
// client id, and with it the shard where the session is. A connection on another shard hands its
// stream over and ends.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "core/timer_queue.h"
#include "mqtt/codec/frame.h"
#include "mqtt/service.h"
#include "plugin_api/byte_stream.h"

namespace trestle::mqtt {

class Client;

class Connection final : public ByteStreamHandler, private TurnTask {
 public:
    /// `behind`: who is behind the proxy that the stream comes from, when that has been told
    /// already.
    Connection(Service& service, std::unique_ptr<ByteStream> stream,
               std::optional<PeerInfo> behind = {});
    ~Connection() override;

    void start();
    size_t on_bytes(std::string_view bytes) override;
    void on_output_drained() override;
    void on_closed(std::string_view why) override;

    // For the service.

    /// The server stops: DISCONNECT 0x8B, then close.
    void shut_down();
    void cut(std::string_view why);
    std::unique_ptr<ByteStream> give_up_stream() { return std::move(stream_); }

    // For the client.

    OutBuffer& output() { return stream_->output(); }
    [[nodiscard]] bool writable() {
        if (stream_->congested()) stream_->flush_now();
        return !stream_->congested();
    }
    /// Something is wrong with what the peer sent: tells it, counts, logs, closes.
    void fail(const Fault& fault);
    /// Writes what is waiting, then closes; no more packets are read.
    void close();
    /// Stops reading packets until `go_on`.
    void hold();
    void go_on();
    /// When `keep_alive_s` times 1.5 pass without a packet, the client is gone [MQTT-3.1.2-22].
    void watch(uint16_t keep_alive_s);

    [[nodiscard]] Shard& shard() const { return shard_; }
    [[nodiscard]] const PeerInfo& peer() const { return peer_; }
    [[nodiscard]] Service& service() const { return service_; }

 private:
    enum class State : uint8_t { awaiting_proxy, awaiting_connect, pausing, connected, closing };
    enum class Accept : uint8_t { yes, no, later, moved };
    size_t read_packets(std::string_view bytes);
    size_t read_proxy(std::string_view bytes);
    /// `no`: the connection is closing; `moved`: it is gone, its stream is on another shard;
    /// `later`: the packet is read again after a pause.
    Accept accept_connect(const Frame& frame, std::string_view from_here);
    Accept open_client(const Connect& connect);
    void refuse(const Connect& connect, const Fault& fault, Refusal why);
    void wait_until_it_reads();
    void wait_for_turn();
    void end_of_turn() override;
    void read_on();
    [[nodiscard]] bool takes_output();
    void timer_fired();
    /// For the log, and counted as a breach of the protocol.
    void note_error(const char* what, std::string_view about);
    void note(const char* what, std::string_view about);

    Service& service_;
    Shard& shard_;
    std::unique_ptr<ByteStream> stream_;
    PeerInfo peer_;
    std::unique_ptr<Client> client_;
    Timer timer_;  // CONNECT must come in time; later keep alive
    uint64_t last_packet_ms_ = 0;
    uint32_t silence_ms_ = 0;
    State state_ = State::awaiting_connect;
    Version version_ = Version::v5;
    // Nothing is read while one of them holds.
    bool held_ = false;          // by the client's rules
    bool full_ = false;          // the peer does not take what is written
    bool busy_ = false;          // others have their turn first
    size_t backlog_before_ = 0;  // while full: at the last look
};

}  // namespace trestle::mqtt
