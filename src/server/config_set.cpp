#include "server/config_set.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <variant>
#include <vector>

#include "server/config_faults.h"
#include "server/json_reader.h"

namespace trestle {

namespace {

using nlohmann::json;
using Step = std::variant<std::string, size_t>;  // a key, or an index

constexpr size_t kMostSteps = 32;

// Reads the path up to `=`; leaves `at` there. False: not a path.
bool read_steps(const std::string& text, size_t& at, std::vector<Step>& steps) {
    bool wants_key = true;
    while (at < text.size() && text[at] != '=') {
        if (steps.size() >= kMostSteps) return false;
        if (text[at] == '[') {
            if (text.compare(at, 2, "[\"") == 0) {
                const size_t end = text.find("\"]", at + 2);
                if (end == std::string::npos) return false;
                steps.emplace_back(text.substr(at + 2, end - at - 2));
                at = end + 2;
            } else {
                size_t index = 0;
                const char* first = text.data() + at + 1;
                auto [end, error] = std::from_chars(first, text.data() + text.size(), index);
                if (error != std::errc() || wants_key || *end != ']') return false;
                steps.emplace_back(index);
                at = static_cast<size_t>(end - text.data()) + 1;
            }
            wants_key = false;
        } else {
            if (!wants_key) {
                if (text[at] != '.') return false;
                ++at;
            }
            const size_t end = std::min(text.find_first_of(".[=", at), text.size());
            if (end == at) return false;
            steps.emplace_back(text.substr(at, end - at));
            at = end;
            wants_key = false;
        }
    }
    return at < text.size() && !steps.empty();
}

json value_from(const std::string& text) {
    json value;
    std::vector<JsonProblem> problems;
    if (read_json(text, false, value, problems) && problems.empty()) return value;
    return text;
}

// The place a step leads to; null and a fault when something else stands in the way.
json* follow(json* at, const Step& step, std::string& path, ConfigFaults& faults) {
    if (const auto* key = std::get_if<std::string>(&step)) {
        if (at->is_null()) *at = json::object();
        if (!at->is_object()) {
            faults.fault(path, std::string("--set goes below it, but found a ") + at->type_name() +
                                   ", expected an object");
            return nullptr;
        }
        path = join_path(path, *key);
        return &(*at)[*key];
    }
    const size_t index = std::get<size_t>(step);
    if (at->is_null()) *at = json::array();
    if (!at->is_array()) {
        faults.fault(path, std::string("--set goes below it, but found a ") + at->type_name() +
                               ", expected a list");
        return nullptr;
    }
    path = join_path(path, index);
    if (index > at->size()) {
        faults.fault(path, "--set names it, but the list has only " + std::to_string(at->size()) +
                               " elements");
        return nullptr;
    }
    if (index == at->size()) at->push_back(nullptr);
    return &(*at)[index];
}

}  // namespace

void apply_set(json& root, const std::string& assignment, ConfigFaults& faults) {
    std::vector<Step> steps;
    size_t at = 0;
    if (!read_steps(assignment, at, steps)) {
        faults.fault("", "--set: found \"" + assignment +
                             "\", expected path=value such as endpoints.devices.listen[0]="
                             "mqtt://127.0.0.1:1884");
        return;
    }
    // On a copy: a path that leads nowhere must not leave half of itself behind.
    json changed = root;
    json* place = &changed;
    std::string path;
    for (const Step& step : steps) {
        place = follow(place, step, path, faults);
        if (place == nullptr) return;
    }
    *place = value_from(assignment.substr(at + 1));
    root = std::move(changed);
}

}  // namespace trestle
