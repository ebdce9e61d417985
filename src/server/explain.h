// Why a message goes where it goes: the routing table asked about one topic or one key, without a
// running server. Pure; main thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trestle {

struct Config;

struct Explanation {
    enum class Verdict {
        matches,
        overruled,  // it matches, but a more specific route to the same endpoint takes the message
        excluded,   // the template matches, `exclude` does too
        misses,
    };
    std::string route;
    Verdict verdict = Verdict::misses;
    std::string endpoint;             // where it goes; where it came from for keys
    std::string shared_filter;        // the MQTT subscription whose group it is in, or empty
    std::string result;               // the key, or the topic
    bool is_service = false;          // the key is the name of a service of workers
    std::vector<std::string> frames;  // towards ZeroMQ; "<payload>" stands for the payload
    std::string why;                  // not for matches
};

/// All routes that take messages from MQTT, in order of the config.
std::vector<Explanation> explain_topic(const Config& config, std::string_view topic);

/// All routes from `endpoint`.
std::vector<Explanation> explain_key(const Config& config, std::string_view endpoint,
                                     std::string_view key);

}  // namespace trestle
