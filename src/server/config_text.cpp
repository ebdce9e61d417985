#include "server/config_text.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "server/config_faults.h"
#include "server/config_secrets.h"
#include "server/config_set.h"
#include "server/json_reader.h"

namespace trestle {

namespace {

using nlohmann::json;

constexpr size_t kLargestConfig = 16 * 1024 * 1024;
constexpr size_t kLargestSecret = 1024 * 1024;

// Not only regular files: a pipe (`<(...)`, /dev/stdin) is a fine source.
std::string read_all(const std::string& file, size_t limit, std::string& problem) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) {
        problem = std::strerror(errno);
        return {};
    }
    if (S_ISDIR(status.st_mode)) {
        problem = "it is a folder";
        return {};
    }
    std::ifstream in(file, std::ios::binary);
    if (!in) {
        problem = std::strerror(errno);
        return {};
    }
    std::string content;
    std::string chunk(64 * 1024, '\0');
    while (in.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || in.gcount() > 0) {
        content.append(chunk, 0, static_cast<size_t>(in.gcount()));
        if (content.size() > limit) {
            problem = "it is larger than " + std::to_string(limit) + " bytes";
            return {};
        }
    }
    if (in.bad()) problem = "reading failed";
    return content;
}

bool is_utf8(const std::string& text) {
    try {
        (void)json(text).dump();
        return true;
    } catch (const json::exception&) {
        return false;
    }
}

bool is_variable_name(std::string_view name) {
    auto letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    };
    if (name.empty() || !letter(name.front())) return false;
    for (char c : name) {
        if (!letter(c) && !(c >= '0' && c <= '9')) return false;
    }
    return true;
}

class Replacer {
 public:
    Replacer(const Surroundings& surroundings, ReplacedStrings& replaced, ConfigFaults& faults)
        : surroundings_(surroundings), replaced_(replaced), faults_(faults) {}

    void visit(json& value, const std::string& path) {
        if (value.is_object()) {
            for (auto& [key, child] : value.items()) visit(child, join_path(path, key));
        } else if (value.is_array()) {
            for (size_t i = 0; i < value.size(); ++i) visit(value[i], join_path(path, i));
        } else if (value.is_string()) {
            auto& text = value.get_ref<std::string&>();
            if (text.find("${") != std::string::npos) replace(text, path);
        }
    }

 private:
    static std::string shown_text(const std::string& text, const std::string& path) {
        return is_secret(path) ? "a string (a secret, not shown)" : "\"" + text + "\"";
    }

    void replace(std::string& text, const std::string& path) {
        std::string out;
        bool did_replace = false;
        for (size_t at = 0; at < text.size();) {
            if (text.compare(at, 3, "$${") == 0) {
                out += "${";
                at += 3;
            } else if (text.compare(at, 2, "${") == 0) {
                const size_t end = text.find('}', at);
                if (end == std::string::npos) {
                    faults_.fault(path, "found " + shown_text(text, path) +
                                            " with a ${ that is not closed, expected } "
                                            "($${ stands for a literal ${)");
                    return;
                }
                out += value_of(text.substr(at + 2, end - at - 2), path);
                did_replace = true;
                at = end + 1;
            } else {
                out += text[at++];
            }
        }
        if (did_replace) replaced_[path] = text;
        text = std::move(out);
    }

    std::string value_of(const std::string& what, const std::string& path) {
        if (what.starts_with("file:")) return file(what.substr(5), path);
        const size_t mark = what.find(":-");
        const std::string name = what.substr(0, mark);
        if (!is_variable_name(name)) {
            faults_.fault(path, "found " + shown_text("${" + what + "}", path) +
                                    ", expected ${NAME}, ${NAME:-default} or ${file:/path} "
                                    "($${ stands for a literal ${)");
            return {};
        }
        auto value = surroundings_.environment(name);
        if (mark != std::string::npos && (!value || value->empty())) return what.substr(mark + 2);
        if (!value) {
            faults_.fault(path, "found ${" + name + "}, but the environment has no " + name +
                                    "; set it or write ${" + name + ":-default}");
            return {};
        }
        if (!is_utf8(*value)) {
            faults_.fault(path, "found ${" + name + "}, whose value is not UTF-8 text");
            return {};
        }
        return *value;
    }

    std::string file(const std::string& name, const std::string& path) {
        std::filesystem::path full(name);
        if (full.is_relative()) full = std::filesystem::path(surroundings_.folder) / full;
        std::string problem;
        std::string content;
        if (name.empty()) {
            problem = "it names no file";
        } else {
            content = read_all(full.string(), kLargestSecret, problem);
        }
        if (problem.empty() && !is_utf8(content)) problem = "it is not UTF-8 text";
        if (!problem.empty()) {
            faults_.fault(path, "found ${file:" + name + "}, which cannot be read (" +
                                    full.string() + "): " + problem);
            return {};
        }
        if (content.ends_with('\n')) content.pop_back();
        if (content.ends_with('\r')) content.pop_back();
        return content;
    }

    const Surroundings& surroundings_;
    ReplacedStrings& replaced_;
    ConfigFaults& faults_;
};

}  // namespace

ConfigText::ConfigText() = default;
ConfigText::ConfigText(ConfigText&&) noexcept = default;
ConfigText& ConfigText::operator=(ConfigText&&) noexcept = default;
ConfigText::~ConfigText() = default;

Surroundings Surroundings::of_process(const std::string& config_file) {
    Surroundings surroundings;
    surroundings.environment = [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    };
    for (char** entry = ::environ; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        if (!text.starts_with(kVariablePrefix)) continue;
        const size_t end = std::min(text.find('='), text.size());
        surroundings.variables.push_back(
            {std::string(text.substr(0, end)),
             std::string(text.substr(std::min(end + 1, text.size())))});
    }
    surroundings.folder = std::filesystem::path(config_file).parent_path().string();
    return surroundings;
}

std::optional<std::string> read_config_file(const std::string& file, ConfigFaults& faults) {
    std::string problem;
    std::string content = read_all(file, kLargestConfig, problem);
    if (problem.empty()) return content;
    faults.fault("", "cannot be read: " + problem);
    return std::nullopt;
}

ConfigText parse_config_text(std::string_view text, const std::vector<std::string>& sets,
                             const Surroundings& surroundings, ConfigFaults& faults) {
    ConfigText result;
    auto root = std::make_unique<json>();
    std::vector<JsonProblem> problems;
    const bool is_json = read_json(text, true, *root, problems);
    for (auto& problem : problems) {
        if (problem.line > 0) {
            faults.fault_at(problem.line, problem.column, std::move(problem.message));
        } else {
            faults.fault(problem.path, std::move(problem.message));
        }
    }
    if (!is_json) return result;
    apply_variables(*root, surroundings.variables, result.replaced, faults);
    for (const std::string& set : sets) apply_set(*root, set, faults);
    Replacer(surroundings, result.replaced, faults).visit(*root, "");
    result.root = std::move(root);
    return result;
}

}  // namespace trestle
