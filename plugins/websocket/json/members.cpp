#include "websocket/json/members.h"

#include <utility>

#include "websocket/json/text.h"
#include "websocket/json/tokens.h"

namespace trestle::websocket::json {

namespace {

class Reader {
 public:
    explicit Reader(std::string_view text) : tokens_(text) {}

    Members run() {
        if (!read_text()) members_.status = Members::Status::not_json;
        return std::move(members_);
    }

 private:
    // These return false where the text is not JSON. All of it is read, whatever else is wrong:
    // that it is not JSON goes first, and an answer needs the id.
    bool read_text() {
        if (!take_value(tokens_.next())) return false;
        while (!open_.empty()) {
            if (!read_element()) return false;
        }
        return tokens_.next() == Token::end;
    }

    /// What comes next in the innermost object or array: an element, or its end.
    bool read_element() {
        if (in_outermost()) into_ = nullptr;
        Token token = tokens_.next();
        if (token == open_.back()) {
            keep(tokens_.written());
            open_.pop_back();
            first_ = false;
            return true;
        }
        if (!std::exchange(first_, false)) {
            if (token != Token::comma) return false;
            keep(",");
            token = tokens_.next();
        }
        if (open_.back() == Token::close_object) {
            if (token != Token::string) return false;
            take_key();
            if (tokens_.next() != Token::colon) return false;
            token = tokens_.next();
        }
        return take_value(token);
    }

    void take_key() {
        if (in_outermost()) return begin_member();
        keep_string();
        keep(":");
    }

    void begin_member() {
        std::string& name = tokens_.meant();
        if (is_good() && members_.find(name) != nullptr) fault(Members::Status::twice);
        if (is_good() && members_.all.size() == kMostMembers) fault(Members::Status::too_many);
        if (!is_good() && (name != "id" || members_.find(name) != nullptr)) return;
        into_ = &members_.all.emplace_back(Member{std::move(name), Member::Type::null, {}});
    }

    bool take_value(Token token) {
        if (open_.empty() && token != Token::open_object) fault(Members::Status::not_an_object);
        switch (token) {
            case Token::open_object:
                open(Member::Type::object, Token::close_object);
                return true;
            case Token::open_array:
                open(Member::Type::array, Token::close_array);
                return true;
            case Token::string:
                take_string();
                return true;
            case Token::number:
                take_word(Member::Type::number);
                return true;
            case Token::boolean:
                take_word(Member::Type::boolean);
                return true;
            case Token::null:
                take_word(Member::Type::null);
                return true;
            default:
                return false;
        }
    }

    void open(Member::Type type, Token closing) {
        set_type(type);
        if (open_.size() == kDeepest) {
            fault(Members::Status::too_deep);
            into_ = nullptr;
        }
        keep(tokens_.written());
        open_.push_back(closing);
        first_ = true;
    }

    void take_string() {
        set_type(Member::Type::string);
        if (!in_outermost()) return keep_string();
        if (into_ != nullptr) into_->text = std::move(tokens_.meant());
    }

    void take_word(Member::Type type) {
        set_type(type);
        keep(tokens_.written());
    }

    void fault(Members::Status status) {
        if (is_good()) members_.status = status;
    }
    [[nodiscard]] bool is_good() const { return members_.status == Members::Status::good; }
    [[nodiscard]] bool in_outermost() const { return open_.size() == 1; }

    void set_type(Member::Type type) {
        if (into_ != nullptr && in_outermost()) into_->type = type;
    }
    void keep(std::string_view text) {
        if (into_ != nullptr) into_->text += text;
    }
    void keep_string() {
        if (into_ != nullptr) append_string(into_->text, tokens_.meant());
    }

    TokenReader tokens_;
    Members members_;
    Member* into_ = nullptr;   // the member that is read; null between them, or when not kept
    std::vector<Token> open_;  // what will close the objects and arrays around here
    bool first_ = true;        // nothing stands yet in the innermost of them
};

}  // namespace

Members read_members(std::string_view text) { return Reader(text).run(); }

}  // namespace trestle::websocket::json
