#include "server/config_validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/topic.h"
#include "server/config_faults.h"
#include "server/config_secrets.h"
#include "server/json_reader.h"

namespace trestle {

namespace {

using nlohmann::json;
using Type = Option::Type;

constexpr size_t kShownBytes = 80;
constexpr double kExactIntegers = 9007199254740992.0;  // 2^53

std::string limits_text(const Option& option, const char* unit) {
    const bool low = std::isfinite(option.minimum), high = std::isfinite(option.maximum);
    if (low && high && option.minimum == option.maximum) {
        return fmt::format(" of {}{}", option.minimum, unit);
    }
    auto number = [](double v) {
        return std::floor(v) == v && std::abs(v) < kExactIntegers
                   ? std::to_string(static_cast<int64_t>(v))
                   : fmt::format("{}", v);
    };
    if (low && high) {
        return fmt::format(" from {} to {}{}", number(option.minimum), number(option.maximum),
                           unit);
    }
    if (low) return fmt::format(" of at least {}{}", number(option.minimum), unit);
    if (high) return fmt::format(" of at most {}{}", number(option.maximum), unit);
    return {};
}

class Validator {
 public:
    Validator(const ReplacedStrings& replaced, ConfigFaults& faults)
        : replaced_(replaced), faults_(faults) {}

    Validated object(const json& value, const std::string& path,
                     const std::vector<Option>& description) {
        if (!value.is_object()) {
            wrong(value, path, "an object { ... }");
            return absent(description);
        }
        Validated result;
        unknown_keys(value, path, description);
        for (const Option& option : description) {
            const auto given = value.find(option.name);
            const std::string below = join_path(path, option.name);
            if (given == value.end()) {
                missing(option, below, result);
            } else {
                take(option, *given, below, result);
            }
        }
        return result;
    }

 private:
    void wrong(const json& value, const std::string& path, const std::string& expected) {
        if (faults_.knows(path)) return;  // what a ${...} stands for could not be had
        faults_.fault(path,
                      "found " + shown_value(value, path, replaced_) + ", expected " + expected);
    }

    void unknown_keys(const json& value, const std::string& path,
                      const std::vector<Option>& description) {
        std::vector<std::string> known;
        for (const Option& option : description) known.push_back(option.name);
        for (const auto& [key, child] : value.items()) {
            if (std::find(known.begin(), known.end(), key) != known.end()) continue;
            const std::string guess = did_you_mean(key, known);
            faults_.fault(join_path(path, key),
                          guess.empty() ? "found an unknown key, expected " + one_of_text(known)
                                        : "found an unknown key" + guess);
        }
    }

    // All defaults of an object that is faulty or not there.
    static Validated absent(const std::vector<Option>& description) {
        Validated result;
        for (const Option& option : description) stand_in(option, result);
        return result;
    }

    void missing(const Option& option, const std::string& path, Validated& result) {
        if (option.is_required) {
            faults_.fault(path,
                          "found nothing, expected " + expected_text(option) + ": " + option.help);
            result.is_complete = false;
        } else {
            stand_in(option, result);
        }
    }

    static void stand_in(const Option& option, Validated& result) {
        if (option.is_required) result.is_complete = false;
        result.settings.set_default(option);
    }

    void take(const Option& option, const json& given, const std::string& path, Validated& result) {
        if (option.type == Type::object) {
            Validated nested = object(given, path, option.fields);
            result.is_complete = result.is_complete && nested.is_complete;
            result.settings.set(option.name,
                                std::make_shared<const Settings>(std::move(nested.settings)), true);
            return;
        }
        auto value = convert(option, given, path);
        if (value) {
            result.settings.set(option.name, std::move(*value), true);
        } else {
            stand_in(option, result);
        }
    }

    std::optional<Settings::Value> convert(const Option& option, const json& given,
                                           const std::string& path) {
        switch (option.type) {
            case Type::string:
                return text(option, given, path);
            case Type::string_list:
                return list(option, given, path);
            case Type::object:
                return std::nullopt;
            default:
                break;
        }
        // "${SHARDS}" stands for what the variable holds, which may be a number.
        json unwrapped;
        const json* value = &given;
        if (given.is_string() && replaced_.contains(path)) {
            std::vector<JsonProblem> problems;
            if (read_json(given.get_ref<const std::string&>(), false, unwrapped, problems)) {
                value = &unwrapped;
            }
        }
        std::optional<Settings::Value> result = scalar(option, *value);
        if (!result) wrong(given, path, expected_text(option));
        return result;
    }

    static std::optional<Settings::Value> scalar(const Option& option, const json& value) {
        if (option.type == Type::boolean) {
            if (!value.is_boolean()) return {};
            return value.get<bool>();
        }
        if (!value.is_number()) return {};
        const double number = value.get<double>();
        if (!(number >= option.minimum && number <= option.maximum)) return {};
        if (option.type == Type::number) return number;
        if (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX) return {};
        if (value.is_number_integer()) return value.get<int64_t>();
        // JSON has one kind of number: 1e3 and 1000.0 are integers too.
        if (std::floor(number) != number || std::abs(number) > kExactIntegers) return {};
        return static_cast<int64_t>(number);
    }

    std::optional<Settings::Value> text(const Option& option, const json& given,
                                        const std::string& path) {
        const bool is_allowed =
            given.is_string() && is_choice(option, given.get_ref<const std::string&>());
        if (is_allowed) return given.get<std::string>();
        std::string guess;
        if (given.is_string()) guess = did_you_mean(given.get<std::string>(), option.choices);
        wrong(given, path, expected_text(option) + guess);
        return {};
    }

    std::optional<Settings::Value> list(const Option& option, const json& given,
                                        const std::string& path) {
        if (!given.is_array()) {
            std::string hint;
            if (given.is_string()) hint = ": [" + shown_value(given, path, replaced_) + "]";
            wrong(given, path, expected_text(option) + hint);
            return {};
        }
        const auto count = static_cast<double>(given.size());
        bool is_good = true;
        if (count < option.minimum || count > option.maximum) {
            faults_.fault(path, fmt::format("found a list of {}, expected {}", given.size(),
                                            expected_text(option)));
            is_good = false;
        }
        Option element = Option::string(option.name, option.help);
        element.choices = option.choices;
        element.is_topic_filter = option.is_topic_filter;
        std::vector<std::string> values;
        for (size_t i = 0; i < given.size(); ++i) {
            auto value = text(element, given[i], join_path(path, i));
            if (value) values.push_back(std::get<std::string>(std::move(*value)));
            is_good = is_good && value.has_value();
        }
        // What is right of a faulty optional list is still looked at by the checks that follow.
        if (!is_good && (option.is_required || values.empty())) return {};
        return values;
    }

    static bool is_choice(const Option& option, const std::string& value) {
        if (option.must_have_text && value.empty()) return false;
        if (option.is_topic_filter) return is_valid_topic_filter(value);
        return option.choices.empty() || std::find(option.choices.begin(), option.choices.end(),
                                                   value) != option.choices.end();
    }

    const ReplacedStrings& replaced_;
    ConfigFaults& faults_;
};

}  // namespace

Validated validate(const json& value, const std::string& path,
                   const std::vector<Option>& description, const ReplacedStrings& replaced,
                   ConfigFaults& faults) {
    return Validator(replaced, faults).object(value, path, description);
}

std::string shown_value(const json& value, const std::string& path,
                        const ReplacedStrings& replaced) {
    const auto origin = replaced.find(path);
    const bool is_replaced = origin != replaced.end();
    const bool is_text = value.is_string();
    const bool hides = is_secret(path) && !(is_text && value.get_ref<const std::string&>().empty());
    if (is_replaced && origin->second.find("${file:") != std::string::npos &&
        (!hides || names_a_file(origin->second))) {
        return "the content of " + origin->second;
    }
    if (value.is_object() && !value.empty()) return "an object";
    if (value.is_array() && !value.empty()) return "a list";
    if (hides && (value.is_string() || value.is_number())) {
        return fmt::format("a {} (a secret, not shown)", value.type_name());
    }
    if (is_text && is_broken_json(value.get_ref<const std::string&>())) {
        return "text that begins like JSON but is not";
    }
    std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
    if (text.size() > kShownBytes) {
        size_t end = kShownBytes;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
        text = text.substr(0, end) + "...";
    }
    if (is_replaced) text += " (from " + origin->second + ")";
    return text;
}

std::string expected_text(const Option& option) {
    switch (option.type) {
        case Type::boolean:
            return "true or false";
        case Type::integer:
            return "an integer" + limits_text(option, "");
        case Type::number:
            return "a number" + limits_text(option, "");
        case Type::string:
            if (option.is_topic_filter) return "a topic filter";
            if (option.must_have_text) return "a string that is not empty";
            return option.choices.empty() ? "a string" : one_of_text(option.choices);
        case Type::string_list:
            if (option.is_topic_filter) return "a list of topic filters";
            return "a list of " +
                   (option.choices.empty() ? std::string("strings") : one_of_text(option.choices)) +
                   limits_text(option, " elements");
        case Type::object:
            return "an object { ... }";
    }
    return "something else";
}

}  // namespace trestle
