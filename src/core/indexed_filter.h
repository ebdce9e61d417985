// What the index holds for one filter.
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/place_index.h"
#include "core/shared_group.h"

namespace trestle {

using RouteNumber = uint32_t;

struct IndexedFilter {
    using Subscribers = PlaceIndex<SubscriberRef, SubscriberRef::Hash>;
    struct Entry {
        SubscriberRef who;
        SubscribeOptions options;
    };
    struct Group {
        SharedGroupPtr group;
        Subscribers clients;
    };
    boost::container::small_vector<Entry, 1> entries;  // most filters have one subscriber
    std::vector<Group> groups;
    std::vector<RouteNumber> routes;
    Subscribers subscribers;                       // in `entries`
    PlaceIndex<std::string_view> names_of_groups;  // in `groups`

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
