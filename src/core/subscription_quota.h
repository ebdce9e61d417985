// What one client's subscriptions take, held against what they may take.
//
// Each makes the index larger for all, a shared one also the match of every topic that it covers,
// and a filter of many levels takes far more memory than its text. Plain values of a session, on
// its shard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trestle {

struct SubscriptionLimits {
    size_t max_subscriptions = 100'000;
    size_t max_shared = 1000;             ///< of these
    size_t max_bytes = size_t{64} << 20;  ///< of the filters, as `SubscriptionQuota` counts them
};

class SubscriptionQuota {
 public:
    /// What a level of a filter counts beside its text.
    static constexpr size_t kLevelBytes = 160;

    /// Whether one more filter, which may start with `$share/`, keeps to the limits.
    [[nodiscard]] bool has_room(std::string_view filter, const SubscriptionLimits& limits) const;
    void take(std::string_view filter);
    void give_back(std::string_view filter);

 private:
    uint32_t all_ = 0;
    uint32_t shared_ = 0;
    size_t bytes_ = 0;
};

}  // namespace trestle
