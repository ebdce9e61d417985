// Values by prefix, to be found for a key: which of many prefixes does it begin with?
//
// One pass over the key, however many prefixes there are: its running hash is looked up at each
// length that some prefix has. Knows no sockets; whoever owns it guards it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace trestle::zmq {

template <class T>
class PrefixMap {
 public:
    /// False when the prefix is there already; its value stays as it is.
    bool insert(std::string_view prefix, T value = {}) {
        const auto [at, is_new] = values_.try_emplace(std::string(prefix), std::move(value));
        if (!is_new) return false;
        bytes_ += prefix.size();
        const auto length = place_of(prefix.size());
        if (length != lengths_.end() && length->first == prefix.size()) {
            ++length->second;
        } else {
            lengths_.insert(length, {prefix.size(), 1});
        }
        return true;
    }

    /// False when it was not there.
    bool erase(std::string_view prefix) {
        const auto at = values_.find(Hashed{prefix, hash_of(prefix)});
        if (at == values_.end()) return false;
        const auto length = place_of(prefix.size());
        if (--length->second == 0) lengths_.erase(length);
        bytes_ -= prefix.size();
        values_.erase(at);
        return true;
    }

    /// Stays where it is until it is erased; null when there is none.
    const std::pair<const std::string, T>* find(std::string_view prefix) const {
        const auto at = values_.find(Hashed{prefix, hash_of(prefix)});
        return at == values_.end() ? nullptr : &*at;
    }
    std::pair<const std::string, T>* find(std::string_view prefix) {
        return const_cast<std::pair<const std::string, T>*>(std::as_const(*this).find(prefix));
    }

    /// Calls `visit(prefix, value)` for the prefixes of `key`, the shortest first, until it answers
    /// true; tells whether it did.
    template <class F>
    bool any_of(std::string_view key, F&& visit) {
        return any_of(*this, key, visit);
    }
    template <class F>
    bool any_of(std::string_view key, F&& visit) const {
        return any_of(*this, key, visit);
    }
    [[nodiscard]] bool has_prefix_of(std::string_view key) const {
        return any_of(key, [](const auto&...) { return true; });
    }

    [[nodiscard]] bool contains(std::string_view prefix) const { return find(prefix) != nullptr; }
    [[nodiscard]] size_t size() const { return values_.size(); }
    [[nodiscard]] bool empty() const { return values_.empty(); }
    [[nodiscard]] size_t longest() const { return lengths_.empty() ? 0 : lengths_.back().first; }
    /// Of the prefixes themselves.
    [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
    template <class Map, class F>
    static bool any_of(Map& map, std::string_view key, F&& visit) {
        uint64_t hash = map.basis_;
        size_t hashed = 0;
        for (const auto& [length, count] : map.lengths_) {
            if (length > key.size()) return false;
            for (; hashed < length; ++hashed) hash = step(hash, key[hashed]);
            const auto at = map.values_.find(Hashed{key.substr(0, length), hash});
            if (at != map.values_.end() && visit(at->first, at->second)) return true;
        }
        return false;
    }
    struct Hashed {
        std::string_view text;
        uint64_t hash;
    };
    // FNV-1a, from a start that peers do not know: they choose the prefixes.
    static uint64_t step(uint64_t hash, char c) {
        return (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3U;
    }
    [[nodiscard]] uint64_t hash_of(std::string_view text) const { return hash_from(basis_, text); }
    static uint64_t hash_from(uint64_t hash, std::string_view text) {
        for (const char c : text) hash = step(hash, c);
        return hash;
    }
    static uint64_t random_basis() {
        std::random_device device;
        return uint64_t{device()} << 32U | device();
    }
    struct Hash {
        using is_transparent = void;
        uint64_t basis;
        size_t operator()(const Hashed& one) const { return one.hash; }
        size_t operator()(const std::string& text) const { return hash_from(basis, text); }
    };
    struct Equal {
        using is_transparent = void;
        bool operator()(const std::string& a, const std::string& b) const { return a == b; }
        bool operator()(const Hashed& a, const std::string& b) const { return a.text == b; }
        bool operator()(const std::string& a, const Hashed& b) const { return a == b.text; }
    };
    using Lengths = std::vector<std::pair<size_t, size_t>>;  // length, prefixes that have it

    Lengths::iterator place_of(size_t length) {
        return std::lower_bound(lengths_.begin(), lengths_.end(), std::pair(length, size_t{0}));
    }

    uint64_t basis_ = random_basis();
    std::unordered_map<std::string, T, Hash, Equal> values_{0, Hash{basis_}};
    Lengths lengths_;  // in order
    size_t bytes_ = 0;
};

}  // namespace trestle::zmq
