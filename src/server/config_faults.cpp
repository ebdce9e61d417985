#include "server/config_faults.h"

#include <algorithm>

namespace trestle {

namespace {

constexpr size_t kLongestGuess = 64;  // longer words are nobody's typing error

// Damerau's distance with adjacent swaps: what typing errors are made of.
size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1,
                               last[j - 1] + static_cast<size_t>(a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
        before.swap(last);
        last.swap(row);
    }
    return last[b.size()];
}

bool is_plain_key(std::string_view key) {
    return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '$';
    });
}

}  // namespace

void ConfigFaults::fault(std::string_view path, std::string message) {
    faults_.push_back({std::string(path), std::move(message)});
}

void ConfigFaults::warning(std::string_view path, std::string message) {
    warnings_.push_back({std::string(path), std::move(message)});
}

void ConfigFaults::fault_at(int line, int column, std::string message) {
    faults_.push_back({{}, std::move(message), line, column});
}

bool ConfigFaults::knows(std::string_view path) const {
    return std::any_of(faults_.begin(), faults_.end(),
                       [&](const ConfigFault& fault) { return fault.path == path; });
}

void ConfigFaults::set_by(std::string path, std::string origin) {
    origins_.emplace_back(std::move(path), std::move(origin));
}

// The nearest above it; of two at the same place the later one.
std::string ConfigFaults::origin_of(std::string_view path) const {
    const std::pair<std::string, std::string>* best = nullptr;
    for (const auto& one : origins_) {
        const size_t size = one.first.size();
        const bool is_below = path.starts_with(one.first) &&
                              (path.size() == size || path[size] == '.' || path[size] == '[');
        if (is_below && (best == nullptr || size >= best->first.size())) best = &one;
    }
    return best == nullptr ? std::string() : best->second;
}

std::vector<std::string> ConfigFaults::lines() const {
    std::vector<std::string> lines;
    auto add = [&](const ConfigFault& fault, const char* mark) {
        std::string where = file_;
        if (fault.line > 0) {
            where += ":" + std::to_string(fault.line) + ":" + std::to_string(fault.column);
        }
        where += ": ";
        where += mark;
        if (!fault.path.empty()) where += fault.path + ": ";
        const std::string origin = origin_of(fault.path);
        const bool is_told = origin.empty() || fault.message.find(origin) != std::string::npos;
        lines.push_back(where + fault.message + (is_told ? "" : " (given by " + origin + ")"));
    };
    for (const auto& fault : faults_) add(fault, "");
    for (const auto& warning : warnings_) add(warning, "warning: ");
    return lines;
}

std::string FaultsBelow::below(std::string_view path) const {
    if (path.empty()) return prefix_;
    if (prefix_.empty() || path.front() == '[') return prefix_ + std::string(path);
    return prefix_ + "." + std::string(path);
}

void FaultsBelow::fault(std::string_view path, std::string message) {
    to_.fault(below(path), std::move(message));
}

void FaultsBelow::warning(std::string_view path, std::string message) {
    to_.warning(below(path), std::move(message));
}

std::string join_path(std::string_view base, std::string_view key) {
    std::string path(base);
    if (is_plain_key(key)) {
        if (!path.empty()) path += '.';
        return path.append(key);
    }
    path += "[\"";
    for (char c : key) {
        if (c == '"' || c == '\\') path += '\\';
        path += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    }
    return path + "\"]";
}

std::string join_path(std::string_view base, size_t index) {
    return std::string(base) + "[" + std::to_string(index) + "]";
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
    if (word.empty() || word.size() > kLongestGuess) return {};
    const std::string* best = nullptr;
    size_t best_distance = 0;
    for (const std::string& candidate : candidates) {
        if (candidate.empty() || candidate.size() > kLongestGuess) continue;
        const size_t distance = edit_distance(word, candidate);
        const size_t allowed = std::max<size_t>(1, std::min(word.size(), candidate.size()) / 3);
        // Of one-letter names nothing can be guessed, and a word of which all letters differ is
        // another word.
        if (distance > allowed || distance >= std::max(word.size(), candidate.size())) continue;
        if (best == nullptr || distance < best_distance) {
            best = &candidate;
            best_distance = distance;
        }
    }
    return best == nullptr ? std::string() : " (did you mean \"" + *best + "\"?)";
}

std::string one_of_text(const std::vector<std::string>& words) {
    std::string text;
    for (size_t i = 0; i < words.size(); ++i) {
        if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
        text += '"' + words[i] + '"';
    }
    return text;
}

}  // namespace trestle
