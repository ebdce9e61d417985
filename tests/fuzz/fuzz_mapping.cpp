// Route templates: any text may be refused, none may crash, and what compiles both ways must be the
// identity there and back.
//
// Input: four parts separated by line feeds: "=" (both ways), ">" (to ZeroMQ) or "<" (to MQTT); the
// MQTT template; the ZeroMQ template; a topic or key.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/mapping.h"
#include "core/topic.h"
#include "core/utf8.h"

using trestle::Mapping;

namespace {

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

void try_topic(const Mapping& mapping, const std::string& topic, bool is_two_way) {
    std::string key;
    std::string back;
    const bool is_mapped = mapping.to_zmq(topic, key);
    require(mapping.explain_topic_miss(topic).empty() == is_mapped, "a miss has a reason");
    if (!is_mapped) return;
    require(mapping.matches_topic(topic), "a mapped topic matches");
    require(trestle::filter_matches(mapping.mqtt_filter(), topic), "the filter covers the topic");
    require(key.starts_with(mapping.zmq_prefix()), "the prefix starts the key");
    if (!is_two_way) return;
    require(mapping.to_mqtt(key, back) && back == topic, "topic to key to topic");
}

void try_key(const Mapping& mapping, const std::string& key, bool is_two_way) {
    std::string topic;
    std::string back;
    const bool is_mapped = mapping.to_mqtt(key, topic);
    require(mapping.explain_key_miss(key).empty() == is_mapped, "a miss has a reason");
    if (!is_mapped) return;
    require(trestle::is_valid_topic_name(topic), "the topic is valid");
    require(trestle::is_valid_mqtt_utf8(topic), "the topic is UTF-8");
    if (!is_two_way) return;
    require(mapping.to_zmq(topic, back) && back == key, "key to topic to key");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view left(reinterpret_cast<const char*>(data), size);
    std::array<std::string, 4> parts;
    for (size_t i = 0; i < parts.size(); ++i) {
        const size_t end = i + 1 < parts.size() ? left.find('\n') : std::string_view::npos;
        parts[i] = left.substr(0, end);
        left = end == std::string_view::npos ? std::string_view() : left.substr(end + 1);
    }
    const auto& [ways, mqtt, zmq, text] = parts;
    const trestle::MappingSpec spec{mqtt, zmq, ways != "<", ways != ">"};
    std::vector<trestle::MappingFault> faults;
    std::vector<trestle::MappingFault> warnings;
    const auto mapping = Mapping::compile(spec, faults, warnings);
    require(mapping.has_value() == faults.empty(), "refused with a fault, or not at all");
    if (!mapping) return 0;
    const bool is_two_way = spec.to_zmq && spec.to_mqtt;
    if (spec.to_zmq && trestle::is_valid_mqtt_utf8(text)) try_topic(*mapping, text, is_two_way);
    if (spec.to_mqtt) try_key(*mapping, text, is_two_way);
    require(mapping->compare_specificity(*mapping) == 0, "as specific as itself");
    require(mapping->keys_overlap(*mapping), "overlaps itself");
    return 0;
}
