#include "server/config_set.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <variant>
#include <vector>

#include "core/utf8.h"
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

/// Walks from the top of the config to the place of one value, making what is not there.
class Walk {
 public:
    /// `origin` is what the user wrote it with: "--set", or the variable's name.
    Walk(json& root, std::string origin, ConfigFaults& faults)
        : root_(root),
          changed_(root),
          place_(&changed_),
          origin_(std::move(origin)),
          faults_(faults) {}

    [[nodiscard]] bool is_at_object() const { return place_->is_object(); }
    [[nodiscard]] const std::string& path() const { return path_; }

    /// False, and a fault, when something else stands in the way.
    bool follow(const Step& step) {
        const auto* key = std::get_if<std::string>(&step);
        if (place_->is_null()) *place_ = key != nullptr ? json::object() : json::array();
        return key != nullptr ? enter(*key) : enter(std::get<size_t>(step));
    }

    /// Only here the config changes: a path that leads nowhere leaves no half of itself behind.
    void put(json value) {
        *place_ = std::move(value);
        root_ = std::move(changed_);
        faults_.set_by(made_.empty() ? path_ : made_, origin_);
    }

 private:
    bool enter(const std::string& key) {
        if (!place_->is_object()) return stands_in_the_way("an object");
        path_ = join_path(path_, key);
        if (made_.empty() && !place_->contains(key)) made_ = path_;
        place_ = &(*place_)[key];
        return true;
    }

    bool enter(size_t index) {
        if (!place_->is_array()) return stands_in_the_way("a list");
        path_ = join_path(path_, index);
        if (index > place_->size()) {
            faults_.fault(path_, origin_ + " names it, but the list has only " +
                                     std::to_string(place_->size()) + " elements");
            return false;
        }
        if (index == place_->size()) {
            place_->push_back(nullptr);
            if (made_.empty()) made_ = path_;
        }
        place_ = &(*place_)[index];
        return true;
    }

    bool stands_in_the_way(const char* expected) {
        faults_.fault(path_, origin_ + " goes below it, but found a " + place_->type_name() +
                                 ", expected " + expected);
        return false;
    }

    json& root_;
    json changed_;
    json* place_;
    std::string path_;
    std::string made_;  // the topmost place that was not there before
    std::string origin_;
    ConfigFaults& faults_;
};

// --- variables

/// The index that the word is, when it is one.
std::optional<size_t> index_from(const std::string& word) {
    size_t index = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), index);
    if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
    return index;
}

/// Empty when the name is not made of keys.
std::vector<std::string> words_of(std::string_view name) {
    std::vector<std::string> words;
    name.remove_prefix(kVariablePrefix.size());
    for (;;) {
        const size_t end = name.find("__");
        if (name.empty() || end == 0 || words.size() >= kMostSteps) return {};
        words.emplace_back(name.substr(0, end));
        if (end == std::string_view::npos) return words;
        name.remove_prefix(end + 2);
    }
}

// Parents before children; 2 before 10, and numbers before all else.
bool comes_before(const std::vector<std::string>& a, const std::vector<std::string>& b) {
    return std::ranges::lexicographical_compare(a, b, [](const auto& x, const auto& y) {
        const auto i = index_from(x), j = index_from(y);
        if (i.has_value() != j.has_value()) return i.has_value();
        return i && *i != *j ? *i < *j : x < y;
    });
}

void apply_variable(json& root, const ConfigVariable& variable,
                    const std::vector<std::string>& words, ReplacedStrings& replaced,
                    ConfigFaults& faults) {
    Walk walk(root, variable.name, faults);
    for (const std::string& word : words) {
        const auto index = index_from(word);
        const bool is_index = index && !walk.is_at_object();
        if (!walk.follow(is_index ? Step(*index) : Step(word))) return;
    }
    if (!is_plain_utf8(variable.value)) {
        faults.fault(walk.path(), "the value of " + variable.name + " is not UTF-8 text");
        return;
    }
    const bool is_json = variable.value.find_first_of("{[\"") == 0;
    if (!is_json) replaced[walk.path()] = variable.name;
    walk.put(is_json ? value_from(variable.value) : json(variable.value));
}

}  // namespace

void apply_set(json& root, const std::string& assignment, ConfigFaults& faults) {
    std::vector<Step> steps;
    size_t at = 0;
    if (!read_steps(assignment, at, steps)) {
        const size_t end = assignment.find('=');  // what follows may be a secret
        faults.fault("", "--set: found \"" + assignment.substr(0, end) +
                             (end == std::string::npos ? "" : "=...") +
                             "\", expected path=value such as endpoints.devices.listen[0]="
                             "mqtt://127.0.0.1:1884");
        return;
    }
    Walk walk(root, "--set", faults);
    for (const Step& step : steps) {
        if (!walk.follow(step)) return;
    }
    walk.put(value_from(assignment.substr(at + 1)));
}

void apply_variables(json& root, const std::vector<ConfigVariable>& variables,
                     ReplacedStrings& replaced, ConfigFaults& faults) {
    std::vector<std::pair<std::vector<std::string>, const ConfigVariable*>> ordered;
    for (const auto& variable : variables) {
        auto words = words_of(variable.name);
        if (words.empty()) {
            faults.fault("", "found the environment variable " + variable.name +
                                 ", expected a name such as "
                                 "TRESTLE__endpoints__devices__listen__0");
            continue;
        }
        ordered.emplace_back(std::move(words), &variable);
    }
    std::ranges::sort(ordered,
                      [](const auto& a, const auto& b) { return comes_before(a.first, b.first); });
    for (const auto& [words, variable] : ordered) {
        apply_variable(root, *variable, words, replaced, faults);
    }
}

}  // namespace trestle
