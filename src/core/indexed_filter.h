// What the index holds for one filter.
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <vector>

#include "core/shared_group.h"

namespace trestle {

using RouteNumber = uint32_t;

struct IndexedFilter {
    struct Entry {
        SubscriberRef who;
        SubscribeOptions options;
    };
    boost::container::small_vector<Entry, 1> entries;  // most filters have one subscriber
    std::vector<SharedGroupPtr> groups;
    std::vector<RouteNumber> routes;

    [[nodiscard]] bool empty() const { return entries.empty() && groups.empty() && routes.empty(); }
};

/// A plain function pointer, called for filters that match a topic.
struct FilterVisit {
    void (*call)(void* context, IndexedFilter& filter);
    void* context;

    void operator()(IndexedFilter& filter) const {
        if (!filter.empty()) call(context, filter);
    }
};

}  // namespace trestle
