// What the subscribers of a pub endpoint have asked for, from what its XPUB socket tells.
//
// Up to a limit prefixes are listed. While there are more, every key counts as wanted, and libzmq
// alone sorts out who gets what. Guarded by its endpoint.
#pragma once

#include <cstddef>
#include <string_view>

#include "zmq/prefix_map.h"

namespace trestle::zmq {

class Interest {
 public:
    static constexpr size_t kMostBytes = 64u << 20;

    explicit Interest(size_t most_prefixes) : most_(most_prefixes) {}

    /// Somebody asks for this prefix; the same one may be told several times.
    void add(std::string_view prefix) {
        if (prefixes_.size() < most_ && prefixes_.bytes() < kMostBytes) {
            prefixes_.insert(prefix, {});
        } else if (!prefixes_.contains(prefix)) {
            ++beyond_;
        }
    }
    /// Nobody asks for it any more.
    void remove(std::string_view prefix) {
        if (!prefixes_.erase(prefix) && beyond_ > 0) --beyond_;
    }

    /// Whether somebody wants messages whose first frame this is, or begins like this as far as the
    /// longest prefix.
    [[nodiscard]] bool wants(std::string_view first_frame) const {
        return beyond_ > 0 || prefixes_.has_prefix_of(first_frame);
    }
    [[nodiscard]] size_t longest() const { return prefixes_.longest(); }
    [[nodiscard]] bool contains(std::string_view prefix) const {
        return prefixes_.contains(prefix);
    }
    /// Different prefixes, those beyond the limit not counted.
    [[nodiscard]] size_t size() const { return prefixes_.size(); }

 private:
    struct Nothing {};
    size_t most_;
    PrefixMap<Nothing> prefixes_;
    size_t beyond_ = 0;  // not listed; perhaps too many, if prefixes are told several times
};

}  // namespace trestle::zmq
