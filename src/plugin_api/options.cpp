#include "plugin_api/options.h"

#include <stdexcept>
#include <utility>

namespace trestle {

namespace {

Option make(Option::Type type, std::string name, std::string help) {
    Option option;
    option.name = std::move(name);
    option.help = std::move(help);
    option.type = type;
    return option;
}

[[noreturn]] void misuse(std::string_view key, const char* what) {
    throw std::logic_error("settings key '" + std::string(key) + "' " + what);
}

// An object's value is behind a pointer: what counts is what it points to.
bool same_value(const Settings::Value& a, const Settings::Value& b) {
    using Nested = std::shared_ptr<const Settings>;
    if (a.index() != b.index()) return false;
    if (const auto* left = std::get_if<Nested>(&a)) {
        const auto& right = std::get<Nested>(b);
        if (!*left || !right) return *left == right;
        return **left == *right;
    }
    return a == b;
}

Settings::Value default_value(const Option& option) {
    return std::visit(
        [&](const auto& v) -> Settings::Value {
            if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::monostate>) {
                misuse(option.name, "has no default");
            } else {
                return v;
            }
        },
        option.value);
}

}  // namespace

Option Option::boolean(std::string name, std::string help) {
    return make(Type::boolean, std::move(name), std::move(help));
}

Option Option::integer(std::string name, std::string help) {
    return make(Type::integer, std::move(name), std::move(help));
}

Option Option::number(std::string name, std::string help) {
    return make(Type::number, std::move(name), std::move(help));
}

Option Option::string(std::string name, std::string help) {
    return make(Type::string, std::move(name), std::move(help));
}

Option Option::string_list(std::string name, std::string help) {
    return make(Type::string_list, std::move(name), std::move(help));
}

Option Option::object(std::string name, std::string help, std::vector<Option> fields) {
    Option option = make(Type::object, std::move(name), std::move(help));
    option.fields = std::move(fields);
    return option;
}

Option&& Option::required() && {
    is_required = true;
    return std::move(*this);
}

Option&& Option::not_empty() && {
    if (type != Type::string) misuse(name, "is not a string");
    must_have_text = true;
    return std::move(*this);
}

Option&& Option::between(double low, double high) && {
    minimum = low;
    maximum = high;
    return std::move(*this);
}

Option&& Option::one_of(std::vector<std::string> allowed) && {
    choices = std::move(allowed);
    return std::move(*this);
}

Option&& Option::topic_filters() && {
    if (type != Type::string_list) misuse(name, "is not a list of strings");
    is_topic_filter = true;
    return std::move(*this);
}

Option&& Option::fallback(bool v) && {
    if (type != Type::boolean) misuse(name, "is not a boolean");
    value = v;
    return std::move(*this);
}

Option&& Option::fallback(int v) && { return std::move(*this).fallback(static_cast<int64_t>(v)); }

Option&& Option::fallback(int64_t v) && {
    if (type == Type::number) {
        value = static_cast<double>(v);
    } else if (type == Type::integer) {
        value = v;
    } else {
        misuse(name, "is not a number");
    }
    return std::move(*this);
}

Option&& Option::fallback(double v) && {
    if (type != Type::number) misuse(name, "is not a number");
    value = v;
    return std::move(*this);
}

Option&& Option::fallback(const char* v) && {
    if (type != Type::string) misuse(name, "is not a string");
    value = std::string(v);
    return std::move(*this);
}

Option&& Option::fallback(std::vector<std::string> v) && {
    if (type != Type::string_list) misuse(name, "is not a list");
    value = std::move(v);
    return std::move(*this);
}

Option&& Option::shown_as(std::string sample) && {
    example = std::move(sample);
    return std::move(*this);
}

bool Settings::has(std::string_view key) const { return entries_.find(key) != entries_.end(); }

bool Settings::given(std::string_view key) const {
    auto found = entries_.find(key);
    return found != entries_.end() && found->second.given;
}

const Settings::Entry& Settings::entry(std::string_view key) const {
    auto found = entries_.find(key);
    if (found == entries_.end()) misuse(key, "is neither given nor has a default");
    return found->second;
}

bool Settings::boolean(std::string_view key) const {
    if (const auto* v = std::get_if<bool>(&entry(key).value)) return *v;
    misuse(key, "is not a boolean");
}

int64_t Settings::integer(std::string_view key) const {
    if (const auto* v = std::get_if<int64_t>(&entry(key).value)) return *v;
    misuse(key, "is not an integer");
}

double Settings::number(std::string_view key) const {
    if (const auto* v = std::get_if<double>(&entry(key).value)) return *v;
    misuse(key, "is not a number");
}

const std::string& Settings::string(std::string_view key) const {
    if (const auto* v = std::get_if<std::string>(&entry(key).value)) return *v;
    misuse(key, "is not a string");
}

const std::vector<std::string>& Settings::list(std::string_view key) const {
    if (const auto* v = std::get_if<std::vector<std::string>>(&entry(key).value)) return *v;
    misuse(key, "is not a list");
}

const Settings& Settings::object(std::string_view key) const {
    const auto* v = std::get_if<std::shared_ptr<const Settings>>(&entry(key).value);
    if (v == nullptr || !*v) misuse(key, "is not an object");
    return **v;
}

void Settings::set(std::string key, Value value, bool was_given) {
    entries_.insert_or_assign(std::move(key), Entry{std::move(value), was_given});
}

void Settings::set_default(const Option& option) {
    if (option.type == Option::Type::object) {
        set(option.name, std::make_shared<const Settings>(defaults(option.fields)), false);
    } else if (!std::holds_alternative<std::monostate>(option.value)) {
        set(option.name, default_value(option), false);
    }
}

Settings Settings::defaults(const std::vector<Option>& description) {
    Settings settings;
    for (const Option& option : description) settings.set_default(option);
    return settings;
}

bool Settings::operator==(const Settings& other) const {
    if (entries_.size() != other.entries_.size()) return false;
    auto right = other.entries_.begin();
    for (const auto& [key, left] : entries_) {
        if (key != right->first || !same_value(left.value, right->second.value)) return false;
        ++right;
    }
    return true;
}

std::vector<std::string> Settings::differences(const Settings& other) const {
    using Nested = std::shared_ptr<const Settings>;
    std::vector<std::string> paths;
    for (const auto& [key, left] : entries_) {
        auto right = other.entries_.find(key);
        if (right == other.entries_.end()) {
            paths.push_back(key);
        } else if (!same_value(left.value, right->second.value)) {
            const auto* mine = std::get_if<Nested>(&left.value);
            const auto* theirs = std::get_if<Nested>(&right->second.value);
            if (mine == nullptr || theirs == nullptr || !*mine || !*theirs) {
                paths.push_back(key);
                continue;
            }
            for (const auto& below : (*mine)->differences(**theirs)) {
                paths.push_back(key + "." + below);
            }
        }
    }
    for (const auto& [key, right] : other.entries_) {
        if (!has(key)) paths.push_back(key);
    }
    return paths;
}

}  // namespace trestle
