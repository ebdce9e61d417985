// Collects what is wrong with a config file, so that everything is shown at once.
//
// Owned by whoever loads the config, main thread. Paths are JSON paths from the top of the file
// ("endpoints.devices.listen[0]"); the empty path is the file as a whole.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plugin_api/options.h"

namespace trestle {

struct ConfigFault {
    std::string path;
    std::string message;  // "found 70000, expected an integer from 1 to 65535"
    int line = 0;         // where the text itself is not JSON; 0 = not known
    int column = 0;
};

class ConfigFaults : public FaultSink {
 public:
    /// `file` is only shown.
    explicit ConfigFaults(std::string file) : file_(std::move(file)) {}

    void fault(std::string_view path, std::string message) override;
    void warning(std::string_view path, std::string message) override;
    void fault_at(int line, int column, std::string message);

    /// What is at or below `path` was not in the file: `origin` ("--set", a variable) laid it over.
    void set_by(std::string path, std::string origin);

    [[nodiscard]] bool any() const { return !faults_.empty(); }
    /// A fault at exactly this path is already known.
    [[nodiscard]] bool knows(std::string_view path) const;
    [[nodiscard]] const std::vector<ConfigFault>& faults() const { return faults_; }
    [[nodiscard]] const std::vector<ConfigFault>& warnings() const { return warnings_; }

    /// One line each: "file: path: message", warnings after the faults and marked as such. A line
    /// about a value that the file does not have says who gave it.
    [[nodiscard]] std::vector<std::string> lines() const;

 private:
    [[nodiscard]] std::string origin_of(std::string_view path) const;

    std::string file_;
    std::vector<ConfigFault> faults_;
    std::vector<ConfigFault> warnings_;
    std::vector<std::pair<std::string, std::string>> origins_;  // path, who laid it over the file
};

/// Passes faults on with a path in front; what plugins are given.
class FaultsBelow : public FaultSink {
 public:
    FaultsBelow(FaultSink& to, std::string prefix) : to_(to), prefix_(std::move(prefix)) {}
    void fault(std::string_view path, std::string message) override;
    void warning(std::string_view path, std::string message) override;

 private:
    [[nodiscard]] std::string below(std::string_view path) const;
    FaultSink& to_;
    std::string prefix_;
};

/// "a" and "b" give "a.b"; a key that is not a plain word gives `a["two words"]`.
std::string join_path(std::string_view base, std::string_view key);
std::string join_path(std::string_view base, size_t index);

/// ` (did you mean "listen"?)` for the candidate nearest in spelling, or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// `"a", "b" or "c"`.
std::string one_of_text(const std::vector<std::string>& words);

}  // namespace trestle
