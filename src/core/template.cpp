#include "core/template.h"

#include <utility>

namespace trestle {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_byte(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; }

/// Reads one template from left to right. The first fault ends it.
class Parser {
 public:
    Parser(TemplateSide side, std::string_view text) : side_(side), text_(text) {}

    bool run() {
        if (text_.size() > kMaxTemplateBytes) {
            return fail("the template is longer than " + std::to_string(kMaxTemplateBytes) +
                        " bytes");
        }
        while (at_ < text_.size()) {
            if (!step()) return false;
        }
        flush();
        return true;
    }

    Template parts;
    std::string fault;

 private:
    bool fail(std::string sentence) {
        fault = std::move(sentence);
        return false;
    }

    [[nodiscard]] bool sees(std::string_view what) const {
        return text_.substr(at_).starts_with(what);
    }

    void flush() {
        if (!literal_.empty()) parts.push_back({std::exchange(literal_, {}), std::nullopt});
    }

    bool step() {
        if (sees("{{") || sees("}}")) {
            literal_ += text_[at_];
            at_ += 2;
            return true;
        }
        if (sees("}")) {
            return fail("'}' at byte " + std::to_string(at_) +
                        " closes nothing; write '}}' for a brace");
        }
        if (sees("{")) return capture();
        if (side_ == TemplateSide::zmq && sees("\\")) return escape(literal_);
        literal_ += text_[at_++];
        return true;
    }

    bool escape(std::string& into) {
        const char kind = at_ + 1 < text_.size() ? text_[at_ + 1] : ' ';
        at_ += 2;
        switch (kind) {
            case '0':
                into += '\0';
                return true;
            case 'n':
                into += '\n';
                return true;
            case 't':
                into += '\t';
                return true;
            case '\\':
                into += '\\';
                return true;
            default:
                return fail(
                    "a backslash starts one of \\0, \\n, \\t and \\\\; write \\\\ for a "
                    "backslash");
        }
    }

    bool capture() {
        flush();
        const size_t start = at_++;
        TemplateCapture found;
        if (!name(found) || !body(found, start)) return false;
        if (parts.size() >= 2 * kMaxCaptures) return fail("the template has too many captures");
        parts.push_back({{}, std::move(found)});
        return true;
    }

    bool name(TemplateCapture& found) {
        const size_t start = at_;
        while (at_ < text_.size() && is_name_byte(text_[at_])) ++at_;
        found.name = text_.substr(start, at_ - start);
        if (!found.name.empty() && is_letter(found.name.front())) return true;
        return fail(
            "after '{' a name is expected (a letter, then letters, digits, '_', '-'); "
            "write '{{' for a brace");
    }

    bool body(TemplateCapture& found, size_t start) {
        if (sees("...")) {
            found.is_rest = true;
            at_ += 3;
        } else if (sees("?")) {
            found.is_optional = true;
            ++at_;
        }
        if (sees(":")) return constraint(found, start);
        while (sees("|")) {
            if (!filter(found)) return false;
        }
        if (sees("}")) {
            ++at_;
            return true;
        }
        if (at_ >= text_.size()) return unclosed(start);
        return fail("{" + found.name + " is followed by " + quoted(text_.substr(at_, 1)) +
                    "; expected '}', '?', '...', ':' or '|'");
    }

    bool unclosed(size_t start) {
        return fail("'{' at byte " + std::to_string(start) +
                    " is not closed; write '{{' for a brace");
    }

    bool filter(TemplateCapture& found) {
        ++at_;
        if (side_ == TemplateSide::mqtt) {
            return fail("'|' says how {" + found.name +
                        "} is written in the key: use it on the ZeroMQ side");
        }
        if (sees("pct")) {
            found.is_escaped = true;
            at_ += 3;
            return true;
        }
        if (!sees("/=")) {
            return fail("{" + found.name +
                        "|...} knows 'pct' and '/=' with the separator to write instead");
        }
        at_ += 2;
        std::string separator;
        // A '|' is the separator itself when the filter cannot end there.
        if (sees("|}") || sees("||")) separator += text_[at_++];
        while (at_ < text_.size() && text_[at_] != '}' && text_[at_] != '|') {
            if (text_[at_] != '\\') {
                separator += text_[at_++];
            } else if (!escape(separator)) {
                return false;
            }
        }
        found.separator = std::move(separator);
        return true;
    }

    /// The regular expression reaches to the brace that closes the capture: braces inside are
    /// counted, those in classes or after a backslash are not.
    bool constraint(TemplateCapture& found, size_t start) {
        if (found.is_rest) return fail("{" + found.name + "...} takes no constraint");
        const size_t first = ++at_;
        for (int depth = 0; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (c == '\\') {
                ++at_;
            } else if (c == '[') {
                skip_class();
            } else if (c == '{') {
                ++depth;
            } else if (c == '}' && depth-- == 0) {
                found.constraint = std::string(text_.substr(first, at_ - first));
                ++at_;
                if (!found.constraint->empty()) return true;
                return fail("the constraint of {" + found.name + ":} is empty");
            }
        }
        return unclosed(start);
    }

    /// Leaves at_ on the ']' that ends the class, or at the end of the text.
    void skip_class() {
        ++at_;
        if (sees("^")) ++at_;
        if (sees("]")) ++at_;
        for (; at_ < text_.size() && text_[at_] != ']'; ++at_) {
            if (text_[at_] == '\\') {
                ++at_;
            } else if (sees("[:")) {
                const size_t end = text_.find(":]", at_ + 2);
                if (end != std::string_view::npos) at_ = end + 1;
            }
        }
    }

    const TemplateSide side_;
    const std::string_view text_;
    size_t at_ = 0;
    std::string literal_;
};

}  // namespace

std::optional<Template> parse_template(TemplateSide side, std::string_view text,
                                       std::vector<std::string>& faults) {
    Parser parser(side, text);
    if (parser.run()) return std::move(parser.parts);
    faults.push_back(std::move(parser.fault));
    return std::nullopt;
}

std::string quoted(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    constexpr size_t kLongest = 200;
    std::string out = "'";
    for (const char c : text.substr(0, kLongest)) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\0') {
            out += "\\0";
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\t') {
            out += "\\t";
        } else if (byte < 0x20 || byte >= 0x7F) {
            out += "\\x";
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        } else {
            out += c;
        }
    }
    return out + (text.size() > kLongest ? "'..." : "'");
}

}  // namespace trestle
