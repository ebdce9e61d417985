// Retained messages for subscribers that come late: which, when and how many.
//
// A subscription to a prefix asks for the retained messages of the routes with `snapshot` whose
// first frame begins with it. Everyone who has asked for the prefix gets them, as XPUB cannot
// address one. So a prefix is served once per interval at most, whoever asks meanwhile waits for
// the next time, and one walk over the retained messages serves all prefixes that are due.
//
// `SnapshotRequests` is guarded by its endpoint, a `SnapshotWalk` lives on the endpoint's home
// shard. Neither sends anything.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/retained.h"
#include "core/route.h"
#include "zmq/frames.h"
#include "zmq/prefix_map.h"

namespace trestle::zmq {

class SnapshotRequests {
 public:
    static constexpr uint64_t kNothing = UINT64_MAX;
    /// Prefixes whose last time is known; beyond, all are forgotten and may be served sooner.
    static constexpr size_t kMostServed = 100'000;
    static constexpr size_t kMostServedBytes = 16u << 20;

    explicit SnapshotRequests(uint64_t interval_ms) : interval_ms_(interval_ms) {}

    /// False when this prefix is waiting already.
    bool ask(const std::string& prefix, uint64_t now_ms);
    /// Nobody asks for the prefix any more.
    void forget(const std::string& prefix) { waiting_.erase(prefix); }
    /// Those whose time has come; they count as served from now on.
    std::vector<std::string> take_due(uint64_t now_ms);
    /// When `take_due` has something to give.
    [[nodiscard]] uint64_t next_due_ms() const;
    [[nodiscard]] bool empty() const { return waiting_.empty(); }

 private:
    void forget_served(uint64_t now_ms);

    uint64_t interval_ms_;
    std::unordered_map<std::string, uint64_t> waiting_;  // due
    std::unordered_map<std::string, uint64_t> served_;   // when; of the last interval or so
    size_t served_bytes_ = 0;                            // of their prefixes
    uint64_t next_cleaning_ms_ = 0;
};

class SnapshotWalk {
 public:
    /// What is to be sent, if it is still the topic's message when it goes out.
    using Visit = std::function<void(const RoutePtr& route, const MessageView& message,
                                     const std::string& key)>;

    /// `routes`: all that lead to the endpoint; those with `snapshot` count.
    SnapshotWalk(RetainedStore& store, const FrameFormat& format, std::vector<RoutePtr> routes,
                 const std::vector<std::string>& prefixes, size_t most_per_prefix);

    /// The next portion: looks at `budget` messages or some more topics. False: it was the last.
    bool step(uint64_t now_ms, size_t budget, const Visit& visit);
    /// Prefixes that had more messages than they may get.
    [[nodiscard]] size_t cut_short() const { return cut_short_; }

 private:
    bool next_route();
    bool is_asked_for(const MessageView& message, const std::string& key);
    [[nodiscard]] bool is_overruled(const Route& route, std::string_view topic) const;

    struct Asked {
        size_t sent = 0;
        bool is_cut_short = false;
    };
    RetainedStore& store_;
    FrameFormat format_;
    std::vector<RoutePtr> routes_;
    size_t most_;
    PrefixMap<Asked> prefixes_;
    size_t cut_short_ = 0;
    size_t at_ = 0;  // the route after the one that is under way
    RoutePtr route_;
    RetainedCursor cursor_;
    std::vector<MessagePtr> batch_;
};

}  // namespace trestle::zmq
