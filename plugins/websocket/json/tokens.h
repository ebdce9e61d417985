// The tokens of a JSON text, exactly by RFC 8259: no byte order mark, no U+0000 between tokens, no
// lone surrogates; numbers of any size, which are not interpreted. Whether the tokens stand in a
// good order is the caller's to judge. Borrows the text, which is UTF-8; pure, any thread; what is
// malformed is a value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trestle::websocket::json {

enum class Token : uint8_t {
    malformed,
    end,
    open_object,
    close_object,
    open_array,
    close_array,
    colon,
    comma,
    string,
    number,
    boolean,
    null,
};

class TokenReader {
 public:
    explicit TokenReader(std::string_view text) : rest_(text) {}

    Token next();
    /// The last token as it was written.
    [[nodiscard]] std::string_view written() const { return written_; }
    /// After Token::string: what it means. May be moved away.
    [[nodiscard]] std::string& meant() { return meant_; }

 private:
    Token take(size_t size, Token token);
    Token word(std::string_view all, Token token);
    Token number();
    Token string();
    bool escape();
    bool unicode_escape();

    std::string_view rest_;
    std::string_view written_;
    std::string meant_;
};

}  // namespace trestle::websocket::json
