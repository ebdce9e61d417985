// Numbers the messages of each key, so that a subscriber can tell how many it has missed.
//
// A key's count begins at 1 with an epoch of its own, and again with a greater epoch after the
// gateway has restarted or has forgotten the key: it remembers a bounded number of them, those used
// last. Guarded by its endpoint.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace trestle::zmq {

struct SequenceNumber {
    uint64_t epoch = 0;  ///< microseconds since 1970 when the count began
    uint64_t number = 0;

    /// As a frame: both as eight bytes, the most significant first.
    [[nodiscard]] std::array<char, 16> frame() const;
    /// For the meta frame: a JSON array.
    [[nodiscard]] std::string json() const;
};

class Sequences {
 public:
    explicit Sequences(size_t most_keys) : most_young_(most_keys / 2 + 1) {}

    /// Of the next message of this key; `now_us` is the wall clock.
    SequenceNumber next(std::string_view key, uint64_t now_us);
    [[nodiscard]] size_t keys() const { return young_.size() + old_.size(); }

 private:
    struct Hash {
        using is_transparent = void;
        size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>()(text);
        }
    };
    struct Equal {
        using is_transparent = void;
        bool operator()(std::string_view a, std::string_view b) const { return a == b; }
    };
    using Counts = std::unordered_map<std::string, SequenceNumber, Hash, Equal>;

    size_t most_young_;
    // Used since the last change of generations, and in the one before; what is older is forgotten.
    Counts young_;
    Counts old_;
    uint64_t last_epoch_ = 0;
};

}  // namespace trestle::zmq
