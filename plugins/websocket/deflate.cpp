#include "websocket/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <new>

namespace trestle::websocket {

namespace {

constexpr std::string_view kTail("\0\0\xff\xff", 4);  // taken off by the sender (section 7.2.1)
constexpr size_t kPiece = 16 * 1024;

class Deflater {
 public:
    explicit Deflater(int window_bits) {
        if (deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -window_bits, 8,
                         Z_DEFAULT_STRATEGY) != Z_OK) {
            throw std::bad_alloc();
        }
    }
    ~Deflater() { deflateEnd(&stream_); }
    Deflater(const Deflater&) = delete;

    std::string_view run(std::string_view message) {
        deflateReset(&stream_);
        out_.clear();
        auto* from = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
        size_t left = message.size();
        stream_.next_in = from;
        do {
            const auto now = std::min<size_t>(left, std::numeric_limits<uInt>::max());
            stream_.avail_in = static_cast<uInt>(now);
            left -= now;
            do {
                const size_t before = out_.size();
                out_.resize(before + kPiece);
                stream_.next_out = reinterpret_cast<Bytef*>(out_.data() + before);
                stream_.avail_out = kPiece;
                ::deflate(&stream_, left == 0 ? Z_SYNC_FLUSH : Z_NO_FLUSH);
                out_.resize(out_.size() - stream_.avail_out);
            } while (stream_.avail_out == 0);
        } while (left != 0);
        const std::string_view all(out_);
        return all.ends_with(kTail) ? all.substr(0, all.size() - kTail.size()) : all;
    }
    /// The memory of one large message is not kept.
    void shrink() {
        if (out_.capacity() > (1u << 20)) std::string().swap(out_);
    }

 private:
    z_stream stream_{};
    std::string out_;
};

class Inflater {
 public:
    Inflater() {
        if (inflateInit2(&stream_, -kLargestDeflateWindow) != Z_OK) throw std::bad_alloc();
    }
    ~Inflater() { inflateEnd(&stream_); }
    Inflater(const Inflater&) = delete;

    Inflated run(std::string_view compressed, uint64_t most, OutBuffer& out) {
        inflateReset(&stream_);
        const Inflated result = feed(compressed, most, out);
        return result == Inflated::good ? feed(kTail, most, out) : result;
    }

 private:
    Inflated feed(std::string_view bytes, uint64_t most, OutBuffer& out) {
        while (!bytes.empty()) {
            const auto now = std::min<size_t>(bytes.size(), std::numeric_limits<uInt>::max());
            stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
            stream_.avail_in = static_cast<uInt>(now);
            const Inflated result = drain(most, out);
            if (result != Inflated::good) return result;
            bytes.remove_prefix(now - stream_.avail_in);
            // A block that was marked as the last one: what follows begins anew (7.2.3.4).
            if (ended_ && inflateReset(&stream_) != Z_OK) return Inflated::malformed;
        }
        return Inflated::good;
    }
    Inflated drain(uint64_t most, OutBuffer& out) {
        ended_ = false;
        do {
            stream_.next_out = reinterpret_cast<Bytef*>(out.reserve(kPiece));
            stream_.avail_out = kPiece;
            const int result = ::inflate(&stream_, Z_NO_FLUSH);
            out.commit(kPiece - stream_.avail_out);
            if (out.size() > most) return Inflated::too_large;
            if (result == Z_STREAM_END) {
                ended_ = true;
                return Inflated::good;
            }
            if (result != Z_OK && result != Z_BUF_ERROR) return Inflated::malformed;
        } while (stream_.avail_in != 0 || stream_.avail_out == 0);
        return Inflated::good;
    }

    z_stream stream_{};
    bool ended_ = false;
};

}  // namespace

std::string_view deflate_message(std::string_view message, int window_bits) {
    static thread_local std::array<std::unique_ptr<Deflater>, kLargestDeflateWindow + 1> all;
    auto& mine = all[static_cast<size_t>(window_bits)];
    if (mine) {
        mine->shrink();
    } else {
        mine = std::make_unique<Deflater>(window_bits);
    }
    return mine->run(message);
}

Inflated inflate_message(std::string_view compressed, uint64_t most, OutBuffer& out) {
    static thread_local Inflater inflater;
    return inflater.run(compressed, most, out);
}

}  // namespace trestle::websocket
