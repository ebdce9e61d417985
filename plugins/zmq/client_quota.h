// How many requests clients have open, and their bytes: all together, and each of them, so that no
// client takes the place of the others. A client is known by the number of its connection.
//
// No lock of its own: guarded with whoever owns it, as are its places, which may outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>

namespace trestle::zmq {

class ClientQuota {
 public:
    struct Limits {
        size_t requests = SIZE_MAX;
        size_t bytes = SIZE_MAX;
    };
    /// Held while the request is open.
    using Place = std::shared_ptr<const void>;

    ClientQuota(const Limits& of_all, const Limits& of_one) : of_all_(of_all), of_one_(of_one) {}

    [[nodiscard]] bool has_room(uint64_t client, size_t bytes = 0) const {
        const auto held = held_->of_one.find(client);
        return fits(held_->of_all, of_all_, bytes) &&
               (held == held_->of_one.end() ? fits({}, of_one_, bytes)
                                            : fits(held->second, of_one_, bytes));
    }
    [[nodiscard]] bool holds(uint64_t client) const { return held_->of_one.contains(client); }

    /// Null when there is no room.
    Place take(uint64_t client, size_t bytes = 0) {
        if (!has_room(client, bytes)) return nullptr;
        change(held_->of_all, 1, bytes);
        change(held_->of_one[client], 1, bytes);
        const auto give_back = [held = held_, client, bytes](const void*) {
            change(held->of_all, -1, bytes);
            const auto found = held->of_one.find(client);
            change(found->second, -1, bytes);
            if (found->second.requests == 0) held->of_one.erase(found);
        };
        return {held_.get(), give_back};
    }

 private:
    struct Sum {
        size_t requests = 0;
        size_t bytes = 0;
    };
    struct Held {
        Sum of_all;
        std::unordered_map<uint64_t, Sum> of_one;
    };

    static bool fits(const Sum& held, const Limits& limits, size_t bytes) {
        return held.requests < limits.requests && bytes <= limits.bytes &&
               held.bytes <= limits.bytes - bytes;
    }
    static void change(Sum& sum, int sign, size_t bytes) {
        sum.requests += static_cast<size_t>(sign);
        sum.bytes += static_cast<size_t>(sign) * bytes;
    }

    const Limits of_all_;
    const Limits of_one_;
    const std::shared_ptr<Held> held_ = std::make_shared<Held>();
};

}  // namespace trestle::zmq
