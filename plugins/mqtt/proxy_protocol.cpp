#include "mqtt/proxy_protocol.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>

namespace trestle::mqtt {

namespace {

using Status = ProxyHeader::Status;

constexpr std::string_view kSignature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::string_view kText = "PROXY ";
constexpr size_t kLongestLine = 107;    // with its end, as version 1 has it
constexpr size_t kLongestBlock = 4096;  // addresses and extensions of version 2

ProxyHeader fault() { return {Status::fault, 0, {}, false}; }

ProxyHeader told(size_t size, int family, const void* address, uint16_t port) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(family, address, text.data(), text.size());
    const std::string name = text.data();
    const bool loopback = family == AF_INET ? name.starts_with("127.") : name == "::1";
    const std::string shown = family == AF_INET6 ? "[" + name + "]" : name;
    return {Status::ready, size, shown + ":" + std::to_string(port), loopback};
}

bool next_word(std::string_view& rest, std::string_view& word) {
    const auto space = rest.find(' ');
    word = rest.substr(0, space);
    rest = space == std::string_view::npos ? std::string_view() : rest.substr(space + 1);
    return !word.empty();
}

bool read_port(std::string_view word, uint16_t& port) {
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), port);
    return error == std::errc() && end == word.data() + word.size();
}

/// "PROXY TCP4 source destination port port\r\n"
ProxyHeader read_line(std::string_view bytes) {
    const auto end = bytes.substr(0, kLongestLine).find("\r\n");
    if (end == std::string_view::npos) {
        return bytes.size() < kLongestLine ? ProxyHeader{} : fault();
    }
    const size_t size = end + 2;
    std::string_view rest = bytes.substr(kText.size(), end - kText.size());
    std::string_view family;
    std::array<std::string_view, 4> words;
    if (!next_word(rest, family)) return fault();
    if (family == "UNKNOWN") return {Status::ready, size, {}, false};
    for (auto& word : words) {
        if (!next_word(rest, word)) return fault();
    }
    const int number = family == "TCP4" ? AF_INET : AF_INET6;
    std::array<unsigned char, 16> source{};
    std::array<unsigned char, 16> destination{};
    uint16_t port = 0;
    uint16_t to = 0;
    const bool good = (family == "TCP4" || family == "TCP6") && rest.empty() &&
                      ::inet_pton(number, std::string(words[0]).c_str(), source.data()) == 1 &&
                      ::inet_pton(number, std::string(words[1]).c_str(), destination.data()) == 1 &&
                      read_port(words[2], port) && read_port(words[3], to);
    return good ? told(size, number, source.data(), port) : fault();
}

ProxyHeader read_block(std::string_view bytes) {
    constexpr size_t kFixed = 16;
    if (bytes.size() < kFixed) return {};
    const auto at = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
    const size_t length = size_t{at(14)} << 8 | at(15);
    const unsigned version = at(12) >> 4U;
    const unsigned command = at(12) & 15U;
    if (version != 2 || command > 1 || length > kLongestBlock) return fault();
    const size_t size = kFixed + length;
    if (bytes.size() < size) return {};
    if (command == 0) return {Status::ready, size, {}, false};  // the proxy's own health check
    const unsigned family = at(13) >> 4U;
    if (family != 1 && family != 2) return {Status::ready, size, {}, false};
    const size_t width = family == 1 ? 4 : 16;
    if (length < 2 * width + 4) return fault();
    const auto port =
        static_cast<uint16_t>(at(kFixed + 2 * width) << 8U | at(kFixed + 2 * width + 1));
    return told(size, family == 1 ? AF_INET : AF_INET6, bytes.data() + kFixed, port);
}

}  // namespace

ProxyHeader read_proxy_header(std::string_view bytes) {
    if (bytes.empty()) return {};
    const std::string_view start = bytes.front() == 'P' ? kText : kSignature;
    const size_t there = std::min(bytes.size(), start.size());
    if (bytes.substr(0, there) != start.substr(0, there)) return fault();
    if (there < start.size()) return {};
    return start == kText ? read_line(bytes) : read_block(bytes);
}

}  // namespace trestle::mqtt
