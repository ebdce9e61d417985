#include "websocket/handshake.h"

#include <openssl/sha.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>

#include "core/base64.h"
#include "websocket/json/service.h"
#include "websocket/stream.h"

namespace trestle::websocket {

namespace http = boost::beast::http;
using ErrorCode = boost::system::error_code;

Gate::Gate(size_t shards, Log endpoint_log) : log(std::move(endpoint_log)), running(shards) {}
Gate::~Gate() = default;

namespace {

constexpr uint32_t kLargestRequest = 8 * 1024;

/// RFC 6455 section 4.2.2: shows that the request was understood.
std::string answer_to_key(std::string_view key) {
    const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char hash[SHA_DIGEST_LENGTH];
    ::SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash);
    return encode_base64({reinterpret_cast<const char*>(hash), sizeof hash});
}

std::string accepting(const Request& request, const Verdict& verdict) {
    const auto key = request[http::field::sec_websocket_key];
    std::string out =
        "HTTP/1.1 101 Switching Protocols\r\nServer: Trestle\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Accept: " +
        answer_to_key({key.data(), key.size()}) + "\r\n";
    if (!verdict.subprotocol.empty()) {
        out.append("Sec-WebSocket-Protocol: ").append(verdict.subprotocol).append("\r\n");
    }
    if (verdict.deflate) {
        out += "Sec-WebSocket-Extensions: " + verdict.deflate.answer + "\r\n";
    }
    return out + "\r\n";
}

std::string refusing(const Verdict& verdict) {
    const auto reason = http::obsolete_reason(static_cast<http::status>(verdict.status));
    std::string out = "HTTP/1.1 " + std::to_string(verdict.status) + " ";
    out.append(reason.data(), reason.size());
    out += "\r\nServer: Trestle\r\nContent-Type: text/plain\r\n";
    // Upgrade is for the next hop and must be named as such (RFC 7230 section 6.7).
    out += verdict.status == 426 ? "Connection: close, Upgrade\r\nUpgrade: websocket\r\n"
                                   "Sec-WebSocket-Version: 13\r\n"
                                 : "Connection: close\r\n";
    out += "Content-Length: " + std::to_string(verdict.sentence.size() + 1) + "\r\n\r\n";
    return out.append(verdict.sentence).append("\n");
}

class HttpHandshake final : public Handshake,
                            public ByteStreamHandler,
                            public std::enable_shared_from_this<HttpHandshake> {
 public:
    HttpHandshake(std::shared_ptr<Gate> gate, std::shared_ptr<const UpgradeRules> rules,
                  Shard& shard, Accepted&& accepted, Slot&& slot, bool refuse)
        : gate_(std::move(gate)),
          rules_(std::move(rules)),
          shard_(shard),
          stream_(make_socket_stream(shard, std::move(accepted))),
          slot_(std::move(slot)),
          refuse_(refuse),
          timer_(
              shard.timers(), [](void* self) { static_cast<HttpHandshake*>(self)->time_is_up(); },
              this) {
        parser_.header_limit(kLargestRequest);
    }

    void start() {
        timer_.set(shard_.now_ms() + gate_->rules->handshake_timeout_ms);
        stream_->start(*this);
    }
    void abort(Failure failure) override {
        const auto self = shared_from_this();
        if (!answered_) gate_->failed(shard_.index(), failure);
        end();
    }

    size_t on_bytes(std::string_view bytes) override;
    void on_closed(std::string_view) override { abort(Failure::gone); }

 private:
    void on_request(bool more_follows);
    void accept(const Verdict& verdict);
    void refuse(const Verdict& verdict);
    void time_is_up();
    void end();

    std::shared_ptr<Gate> gate_;
    std::shared_ptr<const UpgradeRules> rules_;
    Shard& shard_;
    std::unique_ptr<ByteStream> stream_;
    Slot slot_;
    bool refuse_;
    bool answered_ = false;
    http::request_parser<http::empty_body> parser_;
    Timer timer_;
};

size_t HttpHandshake::on_bytes(std::string_view bytes) {
    if (answered_) return bytes.size();
    const auto self = shared_from_this();
    ErrorCode error;
    const size_t used = parser_.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
    if (error == http::error::need_more) {
        if (bytes.size() - used < kLargestRequest) return used;
        error = http::error::header_limit;
    }
    if (error == http::error::header_limit) {
        refuse(refused(431, Failure::too_large, "The request is too large."));
    } else if (error && !parser_.is_header_done()) {
        refuse(refused(400, Failure::malformed, "This is not an HTTP request."));
    } else {
        on_request(used != bytes.size());
    }
    return bytes.size();
}

void HttpHandshake::on_request(bool more_follows) {
    Verdict verdict = judge(parser_.get(), *rules_);
    if (refuse_) {
        verdict = refused(503, Failure::limit, "There are too many connections.");
    } else if (verdict.status == 101 && more_follows) {
        verdict = refused(400, Failure::malformed,
                          "Nothing may follow the handshake before it is answered.");
    }
    return verdict.status == 101 ? accept(verdict) : refuse(verdict);
}

void HttpHandshake::accept(const Verdict& verdict) {
    timer_.cancel();
    answered_ = true;
    stream_->output().append(accepting(parser_.get(), verdict));
    Delivers delivers{!verdict.speaks_json, gate_->max_stream_message, 0};
    if (verdict.speaks_json) {
        delivers.max_message = gate_->json->max_message_size();
        delivers.deflate_window = verdict.deflate.window_bits;
    }
    auto connection =
        std::make_unique<Connection>(std::move(stream_), gate_->rules, std::move(slot_), delivers);
    const auto gate = gate_;
    end();
    if (verdict.speaks_json) {
        gate->json->serve(std::move(connection));
    } else {
        gate->mqtt->serve(make_websocket_stream(std::move(connection)));
    }
}

void HttpHandshake::refuse(const Verdict& verdict) {
    gate_->failed(shard_.index(), verdict.failure);
    gate_->log.limited(gate_->log_limit, RepeatLimit::Clock::now(), LogLevel::info,
                       "a handshake from {} was answered {}: {}", stream_->peer().address,
                       verdict.status, verdict.sentence);
    answered_ = true;
    timer_.cancel();  // the stream closes in its own time
    stream_->output().append(refusing(verdict));
    stream_->close();
}

void HttpHandshake::time_is_up() {
    gate_->log.limited(gate_->log_limit, RepeatLimit::Clock::now(), LogLevel::info,
                       "a handshake from {} took too long", stream_->peer().address);
    abort(Failure::timeout);
}

void HttpHandshake::end() {
    timer_.cancel();
    gate_->running[shard_.index()].erase(shared_from_this());
}

}  // namespace

void begin_handshake(std::shared_ptr<Gate> gate, std::shared_ptr<const UpgradeRules> rules,
                     Shard& shard, Accepted accepted, Slot slot, bool refuse) {
    auto& running = gate->running[shard.index()];
    auto handshake = std::make_shared<HttpHandshake>(std::move(gate), std::move(rules), shard,
                                                     std::move(accepted), std::move(slot), refuse);
    running.insert(handshake);
    handshake->start();
}

}  // namespace trestle::websocket
