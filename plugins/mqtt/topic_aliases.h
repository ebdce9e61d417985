// Topic aliases towards one client (MQTT 5.0, 3.3.2.3.4): topics that repeat are sent as a number.
//
// A table of bounded size, made only for clients that allow aliases. A topic's place follows from
// its hash; it gets the alias of its place at once when that is free, else when it comes a second
// time, and keeps it until another topic repeats there. So once the table is full topics that come
// once cost nothing on the wire. Owned by the client.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trestle::mqtt {

class TopicAliases {
 public:
    /// `most` aliases, at least 1.
    explicit TopicAliases(uint16_t most) : places_(most) {}

    struct Choice {
        uint16_t alias = 0;      ///< 0: none
        bool send_topic = true;  ///< false: the client knows what the alias stands for
    };
    [[nodiscard]] Choice choose(std::string_view topic);
    /// The packet with this choice has been written: the client knows the alias from now on.
    void sent(const Choice& choice, std::string_view topic) {
        if (choice.alias != 0 && choice.send_topic) places_[choice.alias - 1u].topic = topic;
    }

 private:
    struct Place {
        std::string topic;  // what the client knows the alias as
        uint64_t last = 0;  // hash of the last topic that came by
    };
    static constexpr size_t kShortest = 4;  // below it an alias saves nothing
    std::vector<Place> places_;
};

}  // namespace trestle::mqtt
