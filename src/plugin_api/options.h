// How a plugin, or the server itself, describes its part of the config file.
//
// One description (`Option`) does everything: it validates the file, fills in defaults, and is
// printed as JSON Schema by `trestle schema`; so the three cannot drift. What comes out is a
// `Settings`: complete, of the right types, within the stated limits. No JSON is seen by plugins.
//
// Everything here is used while starting or reloading, on the main thread. `Settings` is immutable
// afterwards and may be read from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace trestle {

class Settings;

/// One key of a JSON object in the config. Built in one expression:
///   Option::integer("send_hwm", "Messages queued per peer").between(1, 1'000'000).fallback(1000)
struct Option {
    enum class Type : uint8_t { boolean, integer, number, string, string_list, object };

    std::string name;
    std::string help;
    Type type = Type::string;
    bool is_required = false;
    bool must_have_text = false;  // strings: the empty one is a fault
    /// Limits of the value (integer, number) or of the number of elements (string_list); inclusive.
    double minimum = -std::numeric_limits<double>::infinity();
    double maximum = std::numeric_limits<double>::infinity();
    std::vector<std::string> choices;  // strings and list elements: the allowed values; empty = any
    bool is_topic_filter = false;      // list elements: each must be one
    std::vector<Option> fields;        // objects only: the allowed keys
    /// The default; monostate = absent unless given. Objects always exist, with their fields'
    /// defaults.
    std::variant<std::monostate, bool, int64_t, double, std::string, std::vector<std::string>>
        value;
    /// What the schema shows in "examples"; free text otherwise.
    std::string example;

    static Option boolean(std::string name, std::string help);
    static Option integer(std::string name, std::string help);
    static Option number(std::string name, std::string help);
    static Option string(std::string name, std::string help);
    static Option string_list(std::string name, std::string help);
    static Option object(std::string name, std::string help, std::vector<Option> fields);

    Option&& required() &&;
    Option&& not_empty() &&;
    Option&& between(double low, double high) &&;
    Option&& one_of(std::vector<std::string> allowed) &&;
    Option&& topic_filters() &&;
    Option&& fallback(bool v) &&;
    Option&& fallback(int v) &&;
    Option&& fallback(int64_t v) &&;
    Option&& fallback(double v) &&;
    Option&& fallback(const char* v) &&;
    Option&& fallback(std::vector<std::string> v) &&;
    Option&& shown_as(std::string sample) &&;
};

/// Where faults of the config go. Every fault is reported; nothing stops at the first.
class FaultSink {
 public:
    virtual ~FaultSink() = default;
    /// `path` is the JSON path below the part being checked ("listen[1]"), `message` says what was
    /// found and what would be right.
    virtual void fault(std::string_view path, std::string message) = 0;
    virtual void warning(std::string_view path, std::string message) = 0;
};

/// A validated JSON object. Asking for a key that its description does not have, or as another
/// type, is a programming error and throws std::logic_error.
class Settings {
 public:
    using Value = std::variant<bool, int64_t, double, std::string, std::vector<std::string>,
                               std::shared_ptr<const Settings>>;

    /// True when the key was given or has a default.
    [[nodiscard]] bool has(std::string_view key) const;
    /// True when the file itself gave the key.
    [[nodiscard]] bool given(std::string_view key) const;
    [[nodiscard]] bool boolean(std::string_view key) const;
    [[nodiscard]] int64_t integer(std::string_view key) const;
    [[nodiscard]] double number(std::string_view key) const;
    [[nodiscard]] const std::string& string(std::string_view key) const;
    [[nodiscard]] const std::vector<std::string>& list(std::string_view key) const;
    [[nodiscard]] const Settings& object(std::string_view key) const;

    void set(std::string key, Value value, bool was_given);
    /// Sets the default of this option if it has one; an object gets those of its fields.
    void set_default(const Option& option);
    /// All defaults of a description and nothing given: for tests and for absent sections.
    static Settings defaults(const std::vector<Option>& description);
    /// Same keys and values; whether a value was given or is a default does not matter.
    bool operator==(const Settings& other) const;
    /// The JSON paths ("queue.max_bytes") where the two differ; empty when they are equal.
    [[nodiscard]] std::vector<std::string> differences(const Settings& other) const;

 private:
    struct Entry {
        Value value;
        bool given = false;
    };
    const Entry& entry(std::string_view key) const;
    std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace trestle
