// What the subscribers of a pub endpoint have asked for: who asks for which prefix.
//
// Kept by asker, so that nobody can take back what another has asked for: libzmq also tells of
// unsubscriptions by peers that never had the subscription. Up to limits prefixes are listed. While
// somebody has asked for more, every key counts as wanted, and libzmq alone sorts out who gets
// what: to hand over what nobody wants is harmless, to withhold is not. Guarded by its endpoint.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "zmq/prefix_map.h"

namespace trestle::zmq {

class Interest {
 public:
    using Asker = uint64_t;

    static constexpr size_t kMostBytes = 64u << 20;
    /// Askers of all prefixes together, as a multiple of the most prefixes.
    static constexpr size_t kAskersEach = 10;

    explicit Interest(size_t most_prefixes) : most_(most_prefixes) {}

    /// What one of them has asked for. Of what is not listed all that it ever said counts, as
    /// nobody knows whether it takes back what it had: it could make libzmq keep anything
    /// otherwise.
    struct Share {
        size_t prefixes = 0;
        size_t bytes = 0;
    };

    /// Asks for this prefix; to say so again changes nothing. What it has asked for by now.
    Share add(Asker asker, std::string_view prefix) {
        Asked& asked = askers_[asker];
        Entry* entry = prefixes_.find(prefix);
        if (entry != nullptr && asked.listed.contains(entry)) return asked.share();
        if (!has_room(entry == nullptr)) {
            ++asked.unlisted;
            ++beyond_;
            ++asked.ever_unlisted.prefixes;
            asked.ever_unlisted.bytes += prefix.size();
            return asked.share();
        }
        if (entry == nullptr) {
            prefixes_.insert(prefix, 0);
            entry = prefixes_.find(prefix);
        }
        list(asked, *entry);
        return asked.share();
    }

    /// Asks for it no longer; nothing happens when it did not. True: now nobody does.
    bool remove(Asker asker, std::string_view prefix) {
        const auto found = askers_.find(asker);
        if (found == askers_.end()) return false;
        Asked& asked = found->second;
        Entry* entry = prefixes_.find(prefix);
        bool was_last = false;
        if (entry != nullptr && asked.listed.erase(entry) != 0) {
            asked.listed_bytes -= prefix.size();
            was_last = release(*entry);
        } else if (asked.unlisted > 0) {  // one of those, as far as can be known
            --asked.unlisted;
            --beyond_;
        }
        if (asked.listed.empty() && asked.ever_unlisted.prefixes == 0) askers_.erase(found);
        return was_last;
    }

    /// Asks for nothing any more. Calls `gone(prefix)` for what now nobody asks for.
    template <class F>
    void leave(Asker asker, F&& gone) {
        auto one = askers_.extract(asker);
        if (one.empty()) return;
        beyond_ -= one.mapped().unlisted;
        for (Entry* entry : one.mapped().listed) {
            if (entry->second == 1) gone(entry->first);
            release(*entry);
        }
    }

    /// What `from` has asked for, `to` has.
    void hand_on(Asker from, Asker to) {
        auto one = askers_.extract(from);
        if (one.empty()) return;
        Asked& asked = askers_[to];
        asked.unlisted += one.mapped().unlisted;
        asked.ever_unlisted.prefixes += one.mapped().ever_unlisted.prefixes;
        asked.ever_unlisted.bytes += one.mapped().ever_unlisted.bytes;
        for (Entry* entry : one.mapped().listed) {
            if (asked.listed.insert(entry).second) {
                asked.listed_bytes += entry->first.size();
            } else {
                release(*entry);
            }
        }
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
    [[nodiscard]] bool has(Asker asker) const { return askers_.contains(asker); }
    /// Different prefixes, those beyond the limits not counted.
    [[nodiscard]] size_t size() const { return prefixes_.size(); }

 private:
    using Entry = std::pair<const std::string, size_t>;  // a prefix, and how many ask for it
    struct Asked {
        std::unordered_set<Entry*> listed;
        size_t unlisted = 0;  // perhaps too many, if it says things twice
        size_t listed_bytes = 0;
        Share ever_unlisted;
        [[nodiscard]] Share share() const {
            return {listed.size() + ever_unlisted.prefixes, listed_bytes + ever_unlisted.bytes};
        }
    };

    [[nodiscard]] bool has_room(bool is_new) const {
        if (asks_ >= most_ * kAskersEach) return false;
        return !is_new || (prefixes_.size() < most_ && prefixes_.bytes() < kMostBytes);
    }
    void list(Asked& asked, Entry& entry) {
        asked.listed.insert(&entry);
        asked.listed_bytes += entry.first.size();
        ++entry.second;
        ++asks_;
    }
    // True: it was the last one.
    bool release(Entry& entry) {
        --asks_;
        if (--entry.second != 0) return false;
        prefixes_.erase(entry.first);
        return true;
    }

    size_t most_;
    PrefixMap<size_t> prefixes_;
    std::unordered_map<Asker, Asked> askers_;
    size_t asks_ = 0;    // listed, of all askers
    size_t beyond_ = 0;  // not listed
};

}  // namespace trestle::zmq
