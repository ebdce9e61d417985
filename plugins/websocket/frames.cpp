#include "websocket/frames.h"

#include <cstring>

#include "core/utf8.h"

namespace trestle::websocket {

namespace {

uint64_t big_endian(std::string_view bytes) {
    uint64_t value = 0;
    for (const char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
    return value;
}

bool is_known(uint8_t opcode) { return opcode <= 2 || (opcode >= 8 && opcode <= 10); }

/// Codes that may be in a frame: those of the RFC, those registered since, and everybody's own.
bool may_be_sent(uint16_t code) {
    if (code >= 3000) return code < 5000;
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

}  // namespace

FrameReader::Status FrameReader::read(std::string_view bytes, FrameHeader& header) {
    if (bytes.empty()) return Status::need_more;
    const auto first = static_cast<uint8_t>(bytes[0]);
    if (!is_known(first & 0x0F)) return refuse("an unknown opcode");
    header.opcode = static_cast<Opcode>(first & 0x0F);
    header.fin = (first & 0x80) != 0;
    header.compressed = (first & 0x40) != 0;
    const bool control = is_control(header.opcode);
    const bool begins = !control && header.opcode != Opcode::continuation;
    if ((first & 0x30) != 0 || (header.compressed && !(deflate_ && begins))) {
        return refuse("a reserved bit is set");
    }
    if (control && !header.fin) return refuse("a control frame in fragments");
    if (begins && in_message_) return refuse("a message inside of another");
    if (!control && !begins && !in_message_) return refuse("a continuation of nothing");
    if (bytes.size() < 2) return Status::need_more;
    const auto second = static_cast<uint8_t>(bytes[1]);
    if ((second & 0x80) == 0) return refuse("a frame that is not masked");
    header.length = second & 0x7F;
    if (control && header.length > kLargestControl) return refuse("a control frame too long");
    const size_t more = header.length < 126 ? 0 : header.length == 126 ? 2 : 8;
    header.size = 2 + more + header.mask.size();
    if (bytes.size() < header.size) return Status::need_more;
    if (more != 0) {
        header.length = big_endian(bytes.substr(2, more));
        const uint64_t least = more == 2 ? 126 : 0x10000;
        if (header.length < least || header.length >> 63 != 0) return refuse("a wrong length");
    }
    std::memcpy(header.mask.data(), bytes.data() + 2 + more, header.mask.size());
    if (!control) in_message_ = !header.fin;
    return Status::complete;
}

void unmask(char* out, const char* in, size_t size, const std::array<uint8_t, 4>& mask,
            uint64_t offset) {
    std::array<char, 8> turned{};
    for (size_t i = 0; i < turned.size(); ++i) {
        turned[i] = static_cast<char>(mask[(offset + i) % mask.size()]);
    }
    uint64_t wide = 0;
    std::memcpy(&wide, turned.data(), sizeof wide);
    size_t i = 0;
    for (; i + sizeof wide <= size; i += sizeof wide) {
        uint64_t word = 0;
        std::memcpy(&word, in + i, sizeof word);
        word ^= wide;
        std::memcpy(out + i, &word, sizeof word);
    }
    for (; i < size; ++i) out[i] = static_cast<char>(in[i] ^ turned[i % turned.size()]);
}

void append_header(OutBuffer& out, Opcode opcode, size_t length, bool compressed) {
    char* at = out.reserve(10);
    const int bytes = length < 126 ? 0 : length < 0x10000 ? 2 : 8;
    at[0] = static_cast<char>(0x80 | (compressed ? 0x40 : 0) | static_cast<int>(opcode));
    at[1] = static_cast<char>(bytes == 0 ? length : bytes == 2 ? 126 : 127);
    for (int i = 0; i < bytes; ++i) at[2 + i] = static_cast<char>(length >> (8 * (bytes - 1 - i)));
    out.commit(static_cast<size_t>(2 + bytes));
}

void append_frame(OutBuffer& out, Opcode opcode, std::string_view payload, bool compressed) {
    append_header(out, opcode, payload.size(), compressed);
    out.append(payload);
}

void append_close(OutBuffer& out, CloseCode code, std::string_view reason) {
    if (code == CloseCode::none) return append_frame(out, Opcode::close, {});
    reason = reason.substr(0, kLargestControl - 2);
    reason = reason.substr(0, whole_utf8(reason).value_or(0));
    append_header(out, Opcode::close, 2 + reason.size());
    const auto number = static_cast<uint16_t>(code);
    const char bytes[2] = {static_cast<char>(number >> 8), static_cast<char>(number)};
    out.append({bytes, sizeof bytes});
    out.append(reason);
}

std::optional<CloseFrame> read_close(std::string_view payload) {
    if (payload.empty()) return CloseFrame{};
    if (payload.size() < 2) return {};
    const auto code = static_cast<uint16_t>(big_endian(payload.substr(0, 2)));
    if (!may_be_sent(code)) return {};
    return CloseFrame{static_cast<CloseCode>(code), is_plain_utf8(payload.substr(2))};
}

}  // namespace trestle::websocket
