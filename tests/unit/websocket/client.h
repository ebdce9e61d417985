// A WebSocket client that can also do what it should not: a plain blocking socket, bytes in, bytes
// out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trestle::test {

struct Frame {
    uint8_t first = 0;  ///< FIN, reserved bits, opcode
    std::string payload;
    [[nodiscard]] int opcode() const { return first & 0x0f; }
    [[nodiscard]] bool fin() const { return (first & 0x80) != 0; }
};

enum Opcode : uint8_t { kContinue = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

/// A frame as a client sends it: masked, unless told otherwise.
std::string frame(uint8_t opcode, std::string_view payload, bool fin = true, bool masked = true);
std::string close_frame(uint16_t code);

/// A handshake with these header lines in place of, or beside, the usual ones. A value of "-" takes
/// the header away; a name that ends in "+" is added once more.
using Headers = std::vector<std::pair<std::string, std::string>>;
std::string upgrade_request(const Headers& changed = {}, std::string_view line = "GET / HTTP/1.1");

class Client {
 public:
    explicit Client(uint16_t port, bool ipv6 = false);
    ~Client();
    Client(const Client&) = delete;

    void send(std::string_view bytes) const;
    /// Head and body of an HTTP answer.
    std::string answer();
    /// Upgrades with the usual headers; false when that was refused.
    bool upgrade(const Headers& changed = {});
    /// The next frame; nothing at the end of the connection, or when it takes too long.
    std::optional<Frame> next();
    /// The contents of binary frames until there are so many bytes; control frames are skipped.
    std::string bytes(size_t count);
    /// The code of the close frame that comes, skipping other frames; 0: none came.
    int close_code();
    /// True when the server has closed the connection (after whatever still came).
    bool ended();
    void half_close() const;

 private:
    bool fill();
    int fd_;
    std::string buffer_;
};

}  // namespace trestle::test
