// What a Mapping consists of once compiled. Internal to the mapping files and their tests.
//
// Immutable after compiling; shared by all copies of a Mapping, any thread.
#pragma once

#include <re2/re2.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/mapping.h"

namespace trestle {

inline constexpr int kNoCapture = -1;

/// A capture of the rule: what its value may be, wherever it is written.
struct PlanCapture {
    std::string name;
    bool is_rest = false;
    bool is_optional = false;
    bool is_in_topic = false;
    bool is_level = false;      // one level of the topic: no '/'
    bool starts_topic = false;  // its value never starts with '$'
    std::vector<std::shared_ptr<const re2::RE2>> constraints;
    int piece = -1;  // where the key has it (the last time, when a one-way rule repeats it)

    [[nodiscard]] bool admits(std::string_view value) const;
};

/// One level of the topic: a literal, or a capture.
struct PlanLevel {
    std::string literal;
    int capture = kNoCapture;
};

/// One piece of the key: a literal, or a capture and how it is written.
struct PlanPiece {
    std::string literal;
    int capture = kNoCapture;
    bool is_escaped = false;
    bool has_separator = false;
    std::string separator;
    bool has_stop = false;  // a literal follows, and this is its first byte
    char stop = '\0';

    /// Whether `value` can be written so that it is read back unchanged.
    [[nodiscard]] bool can_hold(std::string_view value) const;
    void append_value(std::string_view value, std::string& out) const;
    /// The way back; strict: only what append_value() writes.
    bool append_decoded(std::string_view written, bool is_strict, std::string& out) const;

 private:
    [[nodiscard]] bool must_escape(char c) const;
    bool append_escaped(std::string_view escape, bool is_strict, std::string& out) const;
};

struct MappingPlan {
    MappingSpec spec;
    std::vector<PlanCapture> captures;
    std::vector<PlanLevel> levels;
    std::vector<PlanPiece> pieces;

    [[nodiscard]] bool is_two_way() const { return spec.to_zmq && spec.to_mqtt; }
};

/// Whether the rule can be used in its directions, and turned around if it has both.
void check_plan(const MappingPlan& plan, std::vector<MappingFault>& faults,
                std::vector<MappingFault>& warnings);

}  // namespace trestle
