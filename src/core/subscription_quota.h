// What one client's subscriptions take, held against what they may take.
//
// Each makes the index larger for all, a shared one also the match of every topic that it covers,
// and a filter of many levels takes far more memory than its text. Plain values of a session, on
// its shard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace trestle {

/// Why a subscription is refused; the values of the label `reason`.
enum class SubscriptionRefusal : uint8_t {
    max_subscriptions,
    max_shared_subscriptions,
    max_subscription_bytes,
    refuse_filters,
    filter,     ///< it is none, or of a kind that is not offered
    packet_id,  ///< of the packet that asks for it, which is in use
};
inline constexpr size_t kSubscriptionRefusals = 6;

constexpr std::string_view name_of(SubscriptionRefusal reason) {
    constexpr std::string_view kNames[kSubscriptionRefusals] = {"max_subscriptions",
                                                                "max_shared_subscriptions",
                                                                "max_subscription_bytes",
                                                                "refuse_filters",
                                                                "filter",
                                                                "packet_id"};
    return kNames[static_cast<size_t>(reason)];
}

struct SubscriptionLimits {
    size_t max_subscriptions = 100'000;
    size_t max_shared = 1000;             ///< of these
    size_t max_bytes = size_t{64} << 20;  ///< of the filters, as `SubscriptionQuota` counts them
};

class SubscriptionQuota {
 public:
    /// What a level of a filter counts beside its text.
    static constexpr size_t kLevelBytes = 160;

    /// The limit that one more filter, which may start with `$share/`, would exceed.
    [[nodiscard]] std::optional<SubscriptionRefusal> refuses(
        std::string_view filter, const SubscriptionLimits& limits) const;
    void take(std::string_view filter);
    void give_back(std::string_view filter);

 private:
    uint32_t all_ = 0;
    uint32_t shared_ = 0;
    size_t bytes_ = 0;
};

}  // namespace trestle
