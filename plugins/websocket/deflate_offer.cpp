// Which offer of compression a handshake agrees to.
#include <algorithm>
#include <boost/beast/http/rfc7230.hpp>
#include <optional>

#include "websocket/deflate.h"

namespace trestle::websocket {

namespace {

// zlib makes no raw stream with a window of 8 bits: such an offer is declined.
constexpr int kSmallestWindow = 9;

std::string_view text(boost::beast::string_view s) { return {s.data(), s.size()}; }

/// 8 to 15 in decimal; 0: something else.
int window_bits_of(std::string_view value) {
    if (value == "8" || value == "9") return value[0] - '0';
    if (value.size() == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5') {
        return 10 + value[1] - '0';
    }
    return 0;
}

/// One offer: the window that it asks of us, 0 when it asks for none; nothing when it is declined.
std::optional<int> window_of_offer(std::string_view offer) {
    // An offer by itself: Beast's list stops at a comma behind a value.
    const boost::beast::http::ext_list list({offer.data(), offer.size()});
    const auto first = list.begin();
    if (first == list.end() || text(first->first) != "permessage-deflate") return {};
    int window = 0;
    std::vector<std::string_view> seen;
    for (const auto& [name, value] : first->second) {
        const std::string_view key = text(name);
        if (std::ranges::find(seen, key) != seen.end()) return {};
        seen.push_back(key);
        if (key == "server_no_context_takeover" || key == "client_no_context_takeover") {
            if (!value.empty()) return {};
        } else if (key == "server_max_window_bits") {
            window = window_bits_of(text(value));
            if (window < kSmallestWindow) return {};
        } else if (key == "client_max_window_bits") {
            if (!value.empty() && window_bits_of(text(value)) == 0) return {};
        } else {
            return {};
        }
    }
    return window;
}

}  // namespace

DeflateAgreement agree_on_deflate(const std::vector<std::string_view>& offers) {
    for (std::string_view header : offers) {
        while (!header.empty()) {
            const std::string_view offer = header.substr(0, header.find(','));
            header.remove_prefix(std::min(header.size(), offer.size() + 1));
            const auto asked = window_of_offer(offer);
            if (!asked) continue;
            std::string answer =
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
            // A window that was asked for must be confirmed, the usual one too (section 7.1.2.1).
            if (*asked != 0) answer += "; server_max_window_bits=" + std::to_string(*asked);
            return {*asked != 0 ? *asked : kLargestDeflateWindow, std::move(answer)};
        }
    }
    return {};
}

}  // namespace trestle::websocket
