// From the text of two templates to a plan.
#include <algorithm>
#include <utility>

#include "core/mapping_plan.h"
#include "core/template.h"
#include "core/topic.h"
#include "core/utf8.h"

namespace trestle {
namespace {

constexpr size_t kMaxConstraintBytes = 1024;
constexpr int64_t kConstraintMemory = int64_t{1} << 20;
constexpr int kMaxConstraintProgram = 4000;

class Compiler {
 public:
    Compiler(MappingPlan& plan, std::vector<MappingFault>& faults) : plan_(plan), faults_(faults) {}

    void run() {
        const auto mqtt = parse(TemplateSide::mqtt, plan_.spec.mqtt);
        const auto zmq = parse(TemplateSide::zmq, plan_.spec.zmq);
        if (mqtt) add_levels(*mqtt);
        if (zmq) add_pieces(*zmq);
        if (plan_.captures.size() > kMaxCaptures) {
            fault("mqtt", "the rule has " + std::to_string(plan_.captures.size()) +
                              " captures, at most " + std::to_string(kMaxCaptures) +
                              " are possible");
        }
    }

 private:
    void fault(std::string_view side, std::string sentence) {
        faults_.push_back({std::string(side), std::move(sentence), std::nullopt});
    }

    std::optional<Template> parse(TemplateSide side, const std::string& text) {
        std::vector<std::string> sentences;
        auto parts = parse_template(side, text, sentences);
        for (std::string& sentence : sentences) {
            fault(side == TemplateSide::mqtt ? "mqtt" : "zmq", std::move(sentence));
        }
        return parts;
    }

    /// The rule's capture of this name, made when it is new.
    int capture_for(const TemplateCapture& written, std::string_view side) {
        const auto found = std::find_if(plan_.captures.begin(), plan_.captures.end(),
                                        [&](const auto& c) { return c.name == written.name; });
        const bool is_new = found == plan_.captures.end();
        PlanCapture& capture = is_new ? plan_.captures.emplace_back() : *found;
        if (is_new) {
            capture.name = written.name;
            capture.is_rest = written.is_rest;
        } else if (written.is_rest && !capture.is_rest) {
            fault(side, "{" + written.name + "...} is {" + written.name +
                            "}, one level, where it stands first; write the same in both places");
        }
        capture.is_optional = capture.is_optional || written.is_optional;
        if (written.constraint) add_constraint(capture, *written.constraint, side);
        return static_cast<int>(&capture - plan_.captures.data());
    }

    void add_constraint(PlanCapture& capture, const std::string& text, std::string_view side) {
        const std::string start = "the constraint of {" + capture.name + "} ";
        if (text.size() > kMaxConstraintBytes) {
            fault(side, start + "is longer than " + std::to_string(kMaxConstraintBytes) + " bytes");
            return;
        }
        re2::RE2::Options options(re2::RE2::Quiet);
        options.set_max_mem(kConstraintMemory);
        options.set_never_capture(true);
        auto constraint = std::make_shared<const re2::RE2>(text, options);
        if (!constraint->ok()) {
            fault(side, start + "is not a regular expression: " + constraint->error());
        } else if (constraint->ProgramSize() > kMaxConstraintProgram) {
            fault(side, start + "is too large: " + std::to_string(constraint->ProgramSize()) +
                            " steps once compiled, at most " +
                            std::to_string(kMaxConstraintProgram));
        } else if (capture.is_rest) {
            fault(side, "{" + capture.name + "...} takes no constraint");
        } else {
            capture.constraints.push_back(std::move(constraint));
        }
    }

    void add_levels(const Template& parts) {
        if (parts.empty())
            return fault("mqtt", "the template is empty; a topic has at least one byte");
        PlanLevel level;
        bool is_fresh = true;  // nothing of this level has been seen
        for (const TemplatePart& part : parts) {
            if (part.capture) {
                if (!is_fresh) return whole_levels(*part.capture);
                level.capture = add_level_capture(*part.capture);
                is_fresh = false;
                continue;
            }
            if (!check_literal(part.literal)) return;
            std::string_view text = part.literal;
            if (level.capture != kNoCapture && !text.starts_with('/')) {
                return whole_levels(last_);
            }
            for (size_t slash; (slash = text.find('/')) != std::string_view::npos;) {
                level.literal += text.substr(0, slash);
                plan_.levels.push_back(std::exchange(level, {}));
                text.remove_prefix(slash + 1);
            }
            level.literal += text;
            is_fresh = text.empty();
        }
        plan_.levels.push_back(std::move(level));
        check_rest_is_last();
    }

    int add_level_capture(const TemplateCapture& written) {
        last_ = written;
        const int index = capture_for(written, "mqtt");
        PlanCapture& capture = plan_.captures[index];
        capture.is_in_topic = true;
        capture.is_level = !capture.is_rest;
        capture.starts_topic = capture.starts_topic || plan_.levels.empty();
        return index;
    }

    bool check_literal(const std::string& literal) {
        if (literal.find_first_of("+#") != std::string::npos) {
            fault("mqtt",
                  "'+' and '#' cannot be in a topic; write {name} for one level and "
                  "{rest...} for the remaining ones");
            return false;
        }
        if (is_valid_mqtt_utf8(literal)) return true;
        fault("mqtt", quoted(literal) + " is not UTF-8, or holds U+0000");
        return false;
    }

    void whole_levels(const TemplateCapture& capture) {
        fault("mqtt", "{" + capture.name +
                          "} shares its level with something else, so it could not be told where "
                          "it ends; a capture takes a whole level, between '/' and '/'");
    }

    void check_rest_is_last() {
        size_t literal_bytes = plan_.levels.size() - 1;
        for (size_t i = 0; i < plan_.levels.size(); ++i) {
            const PlanLevel& level = plan_.levels[i];
            literal_bytes += level.literal.size();
            if (level.capture == kNoCapture || i + 1 == plan_.levels.size()) continue;
            const PlanCapture& capture = plan_.captures[level.capture];
            if (capture.is_rest) {
                fault("mqtt", "{" + capture.name +
                                  "...} takes all remaining levels, so nothing "
                                  "can follow it");
            }
        }
        if (literal_bytes > kMaxTopicBytes) fault("mqtt", "no topic is that long");
    }

    void add_pieces(const Template& parts) {
        for (const TemplatePart& part : parts) {
            PlanPiece& piece = plan_.pieces.emplace_back();
            if (!part.capture) {
                piece.literal = part.literal;
                continue;
            }
            piece.capture = capture_for(*part.capture, "zmq");
            PlanCapture& capture = plan_.captures[piece.capture];
            capture.piece = static_cast<int>(plan_.pieces.size()) - 1;
            piece.is_escaped = part.capture->is_escaped;
            piece.has_separator = part.capture->separator.has_value();
            piece.separator = part.capture->separator.value_or("");
            if (piece.has_separator && !capture.is_rest) {
                fault("zmq", "{" + capture.name +
                                 "} is one level and holds no '/', so '|/=' has nothing to do");
            }
        }
        for (size_t i = 0; i + 1 < plan_.pieces.size(); ++i) {
            const PlanPiece& next = plan_.pieces[i + 1];
            if (plan_.pieces[i].capture == kNoCapture || next.capture != kNoCapture) continue;
            plan_.pieces[i].has_stop = true;
            plan_.pieces[i].stop = next.literal.front();
        }
    }

    MappingPlan& plan_;
    std::vector<MappingFault>& faults_;
    TemplateCapture last_;
};

}  // namespace

std::optional<Mapping> Mapping::compile(const MappingSpec& spec, std::vector<MappingFault>& faults,
                                        std::vector<MappingFault>& warnings) {
    const size_t faults_before = faults.size();
    auto plan = std::make_shared<MappingPlan>();
    plan->spec = spec;
    Compiler(*plan, faults).run();
    if (faults.size() == faults_before) check_plan(*plan, faults, warnings);
    if (faults.size() != faults_before) return std::nullopt;
    return Mapping(std::move(plan));
}

}  // namespace trestle
