// What a WebSocket peer can send: frames, compressed messages, and the JSON of an operation.
//
// Input: one byte that says which, then the bytes. What is read as a publish must come out as a
// message that says the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/base64.h"
#include "core/properties.h"
#include "core/topic.h"
#include "core/utf8.h"
#include "websocket/deflate.h"
#include "websocket/frames.h"
#include "websocket/json/frames_out.h"
#include "websocket/json/members.h"
#include "websocket/json/operation.h"

namespace {

using namespace trestle;
using namespace trestle::websocket;

void require(bool holds) {
    if (!holds) std::abort();
}

void read_frames(std::string_view bytes, bool deflate) {
    FrameReader reader(deflate);
    FrameHeader header;
    while (!bytes.empty()) {
        const auto status = reader.read(bytes, header);
        if (status == FrameReader::Status::fault) return require(reader.fault() != nullptr);
        if (status == FrameReader::Status::need_more) return require(bytes.size() < 14);
        require(header.size >= 6 && header.size <= 14 && header.size <= bytes.size());
        require(!is_control(header.opcode) || (header.fin && header.length <= kLargestControl));
        bytes.remove_prefix(header.size);
        const auto payload =
            bytes.substr(0, static_cast<size_t>(std::min<uint64_t>(header.length, bytes.size())));
        std::string plain(payload.size(), '\0');
        unmask(plain.data(), payload.data(), payload.size(), header.mask, 0);
        if (payload.size() > 3) {
            // In two pieces it is the same.
            std::string second(payload.size() - 3, '\0');
            unmask(second.data(), payload.data() + 3, second.size(), header.mask, 3);
            require(plain.substr(3) == second);
        }
        if (header.opcode == Opcode::close) (void)read_close(plain);
        const auto whole = whole_utf8(plain);
        if (is_plain_utf8(plain)) require(whole == plain.size());
        if (whole) require(is_plain_utf8(std::string_view(plain).substr(0, *whole)));
        bytes.remove_prefix(payload.size());
    }
}

void inflate(std::string_view bytes) {
    constexpr uint64_t kMost = 100'000;
    OutBuffer out;
    const Inflated result = inflate_message(bytes, kMost, out);
    if (result != Inflated::good) return;
    require(out.size() <= kMost);
    const std::string small(deflate_message(out.view(), 15));
    OutBuffer again;
    require(inflate_message(small, kMost, again) == Inflated::good);
    require(again.view() == out.view());
}

/// As another parser says, which overlooks a byte order mark and ends at U+0000, and cannot tell of
/// texts with numbers that no double holds.
void judge_json(std::string_view text) {
    const bool good = json::read_members(text).status != json::Members::Status::not_json;
    if (text.starts_with("\xef\xbb\xbf") || text.find('\0') != text.npos) return require(!good);
    try {
        const auto parsed = nlohmann::json::parse(text);
        require(good);
    } catch (const nlohmann::json::parse_error&) {
        require(!good);
    } catch (const nlohmann::json::out_of_range&) {
    }
}

void read_json(std::string_view text) {
    if (!is_plain_utf8(text)) return;  // the connection has seen to that
    judge_json(text);
    json::Operation op;
    const json::Fault fault = json::read_operation(text, op);
    std::string answer;
    fault ? json::append_error(answer, op.id, fault) : json::append_ok(answer, op.id);
    require(json::read_members(answer).status == json::Members::Status::good);
    if (fault || op.op != json::Op::publish) return;
    require(is_valid_topic_name(op.topic));
    MessageView message;
    message.topic = op.topic;
    message.payload = op.payload;
    message.properties = op.properties;
    if (op.expiry_s) message.expires_at_ms = *op.expiry_s * uint64_t{1000};
    std::string out;
    json::append_message(out, {message, Qos::at_least_once, op.retain, 1, 0, {}});
    const auto parsed = nlohmann::json::parse(out);
    require(parsed["topic"] == op.topic && parsed["retain"] == op.retain);
    const auto payload = parsed["payload"].get<std::string>();
    require(parsed["encoding"] == "utf8" ? payload == op.payload
                                         : decode_base64(payload) == op.payload);
    // Sent on as it came: the same message again.
    auto forth = parsed;
    forth["op"] = "publish";
    forth["id"] = 1;
    json::Operation again;
    require(!json::read_operation(forth.dump(), again));
    require(again.topic == op.topic && again.payload == op.payload);
    require(again.properties.size() == op.properties.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] & 3) {
        case 0:
            read_frames(input, (data[0] & 4) != 0);
            break;
        case 1:
            inflate(input);
            break;
        default:
            read_json(input);
    }
    return 0;
}
