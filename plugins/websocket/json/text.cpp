#include "websocket/json/text.h"

#include "core/base64.h"

namespace trestle::websocket::json {

namespace {

void append_escaped(std::string& out, char c) {
    constexpr char kDigits[] = "0123456789abcdef";
    switch (c) {
        case '"':
        case '\\':
            out += {'\\', c};
            break;
        case '\n':
            out += "\\n";
            break;
        case '\r':
            out += "\\r";
            break;
        case '\t':
            out += "\\t";
            break;
        default:
            out += "\\u00";
            out += {kDigits[c >> 4 & 15], kDigits[c & 15]};
    }
}

}  // namespace

void append_string(std::string& out, std::string_view text) {
    out.push_back('"');
    size_t from = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        if (is_plain(text[i])) continue;
        out.append(text, from, i - from);
        append_escaped(out, text[i]);
        from = i + 1;
    }
    out.append(text, from);
    out.push_back('"');
}

void append_base64(std::string& out, std::string_view bytes) {
    out.push_back('"');
    out += encode_base64(bytes);
    out.push_back('"');
}

}  // namespace trestle::websocket::json
