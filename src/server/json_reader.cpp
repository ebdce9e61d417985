#include "server/json_reader.h"

#include <nlohmann/json.hpp>

#include "server/config_faults.h"

namespace trestle {

namespace {

using nlohmann::json;

constexpr size_t kDeepest = 64;

// Builds the value as the events come in. A frame is an open array or object.
class Builder : public nlohmann::json_sax<json> {
 public:
    Builder(std::string_view text, json& root, std::vector<JsonProblem>& problems)
        : text_(text), root_(root), problems_(problems) {}

    bool null() override { return put(nullptr); }
    bool boolean(bool v) override { return put(v); }
    bool number_integer(number_integer_t v) override { return put(v); }
    bool number_unsigned(number_unsigned_t v) override { return put(v); }
    bool number_float(number_float_t v, const string_t&) override { return put(v); }
    bool string(string_t& v) override { return put(std::move(v)); }
    bool binary(binary_t&) override { return false; }  // not in JSON text
    bool start_object(std::size_t) override { return open(json::object()); }
    bool end_object() override { return close(); }
    bool start_array(std::size_t) override { return open(json::array()); }
    bool end_array() override { return close(); }

    bool key(string_t& name) override {
        Frame& frame = frames_.back();
        frame.key = std::move(name);
        if (frame.value->contains(frame.key)) {
            problems_.push_back(
                {join_path(frame.path, frame.key), "found the key twice, expected it once"});
        }
        return true;
    }

    /// False, as `parse_error` is.
    bool refuse(std::size_t position, std::string message) {
        fail(position, std::move(message));
        return false;
    }

    bool parse_error(std::size_t position, const std::string&,
                     const nlohmann::detail::exception& problem) override {
        return refuse(position > 0 ? position - 1 : 0, plain(problem.what()));
    }

 private:
    struct Frame {
        json* value;
        std::string path;
        std::string key;
    };

    // "[json.exception.parse_error.101] parse error at line 2, column 5: syntax error ...; last
    // read: '...'" without what is said elsewhere, and without what was read: it may be a secret.
    static std::string plain(std::string_view what) {
        const size_t column = what.find("column ");
        const size_t mark = column == std::string_view::npos ? column : what.find(": ", column);
        if (mark != std::string_view::npos) what.remove_prefix(mark + 2);
        what = what.substr(0, what.find("; last read: "));
        return "not JSON: " + std::string(what);
    }

    void fail(size_t position, std::string message) {
        position = std::min(position, text_.size());
        int line = 1, column = 1;
        for (size_t i = 0; i < position; ++i) {
            column = text_[i] == '\n' ? 1 : column + 1;
            line += text_[i] == '\n' ? 1 : 0;
        }
        problems_.push_back({{}, std::move(message), line, column});
    }

    json& place(json&& v, std::string* path) {
        if (frames_.empty()) {
            root_ = std::move(v);
            return root_;
        }
        Frame& top = frames_.back();
        if (top.value->is_array()) {
            if (path != nullptr) *path = join_path(top.path, top.value->size());
            top.value->push_back(std::move(v));
            return top.value->back();
        }
        if (path != nullptr) *path = join_path(top.path, top.key);
        return (*top.value)[top.key] = std::move(v);
    }

    bool put(json v) {
        place(std::move(v), nullptr);
        return true;
    }

    bool open(json v) {
        std::string path;
        json& placed = place(std::move(v), &path);
        if (frames_.size() >= kDeepest) {
            problems_.push_back({std::move(path), "found more than " + std::to_string(kDeepest) +
                                                      " levels of nesting, expected fewer"});
            return false;
        }
        frames_.push_back({&placed, std::move(path), {}});
        return true;
    }

    bool close() {
        frames_.pop_back();
        return true;
    }

    std::string_view text_;
    json& root_;
    std::vector<JsonProblem>& problems_;
    std::vector<Frame> frames_;
};

}  // namespace

bool read_json(std::string_view text, bool allow_comments, json& out,
               std::vector<JsonProblem>& problems) {
    Builder builder(text, out, problems);
    // nlohmann's lexer takes it for the end, whatever follows.
    if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
        return builder.refuse(nul, "not JSON: found a NUL byte");
    }
    return json::sax_parse(text.begin(), text.end(), &builder, json::input_format_t::json, true,
                           allow_comments);
}

}  // namespace trestle
