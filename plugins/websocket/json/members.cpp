#include "websocket/json/members.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "websocket/json/text.h"

namespace trestle::websocket::json {

namespace {

/// What nlohmann's parser calls; false stops it.
class Collector final : public nlohmann::json_sax<nlohmann::json> {
 public:
    explicit Collector(Members& members) : members_(members) {}

    bool null() override { return scalar(Member::Type::null, "null"); }
    bool boolean(bool value) override {
        return scalar(Member::Type::boolean, value ? "true" : "false");
    }
    bool number_integer(number_integer_t value) override {
        return scalar(Member::Type::number, std::to_string(value));
    }
    bool number_unsigned(number_unsigned_t value) override {
        return scalar(Member::Type::number, std::to_string(value));
    }
    bool number_float(number_float_t, const string_t& digits) override {
        return scalar(Member::Type::number, digits);
    }
    bool string(string_t& value) override {
        if (depth_ == 1) {
            members_.all.back().type = Member::Type::string;
            members_.all.back().text = std::move(value);
            return true;
        }
        if (!begin_value(Member::Type::string)) return false;
        append_string(members_.all.back().text, value);
        return true;
    }
    bool binary(binary_t&) override { return fail(Members::Status::not_json); }

    bool start_object(size_t) override { return open(Member::Type::object, '{'); }
    bool key(string_t& name) override {
        if (depth_ == 1) return new_member(std::move(name));
        separate();
        append_string(members_.all.back().text, name);
        members_.all.back().text += ':';
        after_key_ = true;
        return true;
    }
    bool end_object() override { return close('}'); }
    bool start_array(size_t) override { return open(Member::Type::array, '['); }
    bool end_array() override { return close(']'); }
    bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override {
        return fail(Members::Status::not_json);
    }

 private:
    bool fail(Members::Status status) {
        if (members_.status == Members::Status::good) members_.status = status;
        return false;
    }
    bool new_member(std::string&& name) {
        if (members_.find(name) != nullptr) return fail(Members::Status::twice);
        if (members_.all.size() == kMostMembers) return fail(Members::Status::too_many);
        members_.all.push_back({std::move(name), Member::Type::null, {}});
        first_ = true;
        return true;
    }
    /// Before a key or an element inside of a member's value.
    void separate() {
        if (!std::exchange(first_, false)) members_.all.back().text += ',';
    }
    bool begin_value(Member::Type type) {
        if (depth_ == 0) return fail(Members::Status::not_an_object);
        if (depth_ == 1) {
            members_.all.back().type = type;
        } else if (!std::exchange(after_key_, false)) {
            separate();
        }
        return true;
    }
    bool scalar(Member::Type type, std::string_view text) {
        if (!begin_value(type)) return false;
        members_.all.back().text += text;
        return true;
    }
    bool open(Member::Type type, char bracket) {
        if (depth_ == 0 && type == Member::Type::object) {
            depth_ = 1;
            return true;
        }
        if (!begin_value(type)) return false;
        if (depth_ == kDeepest) return fail(Members::Status::too_deep);
        ++depth_;
        members_.all.back().text += bracket;
        first_ = true;
        return true;
    }
    bool close(char bracket) {
        if (--depth_ == 0) return true;
        members_.all.back().text += bracket;
        first_ = false;
        return true;
    }

    Members& members_;
    size_t depth_ = 0;
    bool first_ = true;  // nothing stands yet in the innermost object or array
    bool after_key_ = false;
};

}  // namespace

Members read_members(std::string_view text) {
    Members members;
    Collector collector(members);
    nlohmann::json::sax_parse(text.begin(), text.end(), &collector);
    return members;
}

}  // namespace trestle::websocket::json
