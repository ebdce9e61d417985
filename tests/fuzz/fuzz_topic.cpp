// Topic rules against a second, slower telling of them, and against each other.
//
// Input: two filters and a topic, separated by line feeds.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/topic.h"

namespace {

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> levels(1);
    for (const char c : text) {
        if (c == '/') {
            levels.emplace_back();
        } else {
            levels.back() += c;
        }
    }
    return levels;
}

bool plainly_matches(const std::string& filter, const std::string& topic) {
    const auto want = split(filter);
    const auto have = split(topic);
    if (topic[0] == '$' && (want[0] == "+" || want[0] == "#")) return false;
    for (size_t i = 0; i < want.size(); ++i) {
        if (want[i] == "#") return have.size() >= i;
        if (i >= have.size() || (want[i] != "+" && want[i] != have[i])) return false;
    }
    return want.size() == have.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace trestle;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const size_t first = text.find('\n');
    const size_t second = first == std::string_view::npos ? first : text.find('\n', first + 1);
    if (second == std::string_view::npos) return 0;
    const std::string a(text.substr(0, first));
    const std::string b(text.substr(first + 1, second - first - 1));
    const std::string topic(text.substr(second + 1));

    if (const auto shared = parse_shared(a)) {
        const std::string again =
            "$share/" + std::string(shared->group) + "/" + std::string(shared->filter);
        require(again == a && is_valid_subscription(a), "a shared filter is its two parts");
    }
    const bool a_is_valid = is_valid_topic_filter(a);
    const bool b_is_valid = is_valid_topic_filter(b);
    if (!a_is_valid || !b_is_valid) return 0;
    const bool overlap = filters_overlap(a, b);
    const bool covers = filter_covers(a, b);
    require(overlap == filters_overlap(b, a), "overlap is symmetric");
    require(filter_covers(a, a), "a filter covers itself");
    require(!covers || overlap || (a == "/#" && b == "+"), "what is covered overlaps");
    if (!is_valid_topic_name(topic)) return 0;
    const bool in_a = filter_matches(a, topic);
    const bool in_b = filter_matches(b, topic);
    require(in_a == plainly_matches(a, topic), "matching, told twice");
    require(!(in_a && in_b) || overlap, "a common topic is an overlap");
    require(!covers || !in_b || in_a, "covered topics match");
    require(filter_matches(topic, topic), "a topic is a filter that matches itself");
    return 0;
}
