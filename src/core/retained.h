// Retained messages: the last one of each topic that its publisher asked to keep
// (MQTT 5.0, 3.3.1.3).
//
// One store for all shards. `RetainedStore` is what the hub knows of it, so that a durable one can
// take its place; `RetainedTree` keeps everything in memory behind one lock. Publishing a retained
// message is rare next to publishing, and retained messages are read when somebody subscribes.
// Every function may be called from any thread, takes the lock for a bounded time, and throws
// std::bad_alloc only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/flat_table.h"
#include "core/message.h"

namespace trestle {

struct RetainedLimits {
    size_t max_messages = 1'000'000;
    size_t max_bytes = size_t{1} << 30;  ///< of messages and of the levels of their topics
};

/// Tells publishers apart for "no local"; 0: not a client.
inline uint64_t publisher_hash(std::string_view client_id) {
    return client_id.empty() ? 0 : std::hash<std::string_view>()(client_id) | 1;
}

/// A walk over the messages that match one filter, in several calls of `RetainedStore::collect`.
struct RetainedCursor {
    std::string filter;
    /// Messages of this publisher are left out ("no local"); 0: of nobody.
    uint64_t without_publisher = 0;
    std::string after;  ///< the place reached; nothing before the first call
    bool begun = false;
    bool done = false;
};

class RetainedStore {
 public:
    enum class Kept : uint8_t { stored, cleared, full };

    virtual ~RetainedStore() = default;
    /// Live receivers have got a newer message of this topic that is not retained: what is kept, if
    /// anything, is no longer the topic's current one, until another is kept.
    virtual void overtake(std::string_view topic) = 0;
    /// The topic's message; null when there is none, it has expired or was overtaken.
    virtual MessagePtr current(std::string_view topic, uint64_t now_ms) = 0;
    /// Whether this very message is the one kept for its topic, not one that was there before.
    [[nodiscard]] virtual bool holds(const Message& message) = 0;
    /// Sets or replaces the topic's message; an empty payload clears it [MQTT-3.3.1-6]. `full`: a
    /// limit is reached and the message is not kept; one that was there is gone all the same, as it
    /// is no longer the last [MQTT-3.3.1-5]. `publisher` is a `publisher_hash`.
    virtual Kept keep(const MessagePtr& message, uint64_t publisher) = 0;
    /// Appends messages that match, at most `most`, and moves the cursor. A call also ends after
    /// some thousand topics that did not match; it then may append nothing without being done.
    /// Returns how many topics it looked at.
    virtual size_t collect(RetainedCursor& cursor, size_t most, uint64_t now_ms,
                           std::vector<MessagePtr>& out) = 0;
    /// One level of the tree of topics that have retained messages.
    struct Level {
        std::string name;
        MessagePtr message;  ///< null: there is none on this very topic
        bool has_below = false;
    };
    /// The levels right below a topic (nothing: the first levels of all), in order, those after
    /// `after` (nothing: from the first one), at most `most`.
    virtual std::vector<Level> levels_below(std::optional<std::string_view> topic,
                                            std::optional<std::string_view> after, size_t most,
                                            uint64_t now_ms) = 0;
    /// Forgets at most so many that have expired; the rest is for the next call.
    virtual void remove_expired(uint64_t now_ms, size_t most) = 0;

    [[nodiscard]] virtual size_t messages() const = 0;
    [[nodiscard]] virtual size_t bytes() const = 0;
};

class RetainedTree final : public RetainedStore {
 public:
    explicit RetainedTree(const RetainedLimits& limits);
    ~RetainedTree() override;
    void overtake(std::string_view topic) override;
    MessagePtr current(std::string_view topic, uint64_t now_ms) override;
    [[nodiscard]] bool holds(const Message& message) override;

    Kept keep(const MessagePtr& message, uint64_t publisher) override;
    size_t collect(RetainedCursor& cursor, size_t most, uint64_t now_ms,
                   std::vector<MessagePtr>& out) override;
    std::vector<Level> levels_below(std::optional<std::string_view> topic,
                                    std::optional<std::string_view> after, size_t most,
                                    uint64_t now_ms) override;
    void remove_expired(uint64_t now_ms, size_t most) override;

    [[nodiscard]] size_t messages() const override {
        return messages_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] size_t bytes() const override { return bytes_.load(std::memory_order_relaxed); }

    /// Topics looked at by one `collect` at most.
    static constexpr size_t kMostVisited = 4096;
    /// What a level of the tree takes beside its text, and counts in `bytes`: the first message of
    /// a deep topic may need a great many.
    static constexpr size_t kLevelBytes = 160;

 private:
    struct Node;
    class Walk;
    /// In order, so that a walk can go on from a place that may be gone by then.
    using Children = std::map<std::string, std::unique_ptr<Node>, std::less<>>;

    [[nodiscard]] Node* find(std::string_view topic) const;
    /// Null: it would take more than `room` bytes.
    Node* make(std::string_view topic, size_t room);
    void put(Node& node, const MessagePtr& message, uint64_t publisher);
    void erase(std::string_view topic);
    void forget_message(Node& node);

    RetainedLimits limits_;
    std::mutex mutex_;
    std::unique_ptr<Node> root_;
    FlatTable<Node> by_topic_;  // those with a message: replacing one costs the same among millions
    std::set<std::pair<uint64_t, const Message*>> expiring_;  // by time; those that expire at all
    std::atomic<size_t> messages_{0};
    std::atomic<size_t> bytes_{0};
};

}  // namespace trestle
