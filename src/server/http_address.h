// The address that an HTTP listener is given: `http://ADDRESS:PORT`. Pure; any thread.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <string>
#include <string_view>

namespace trestle {

struct HttpAddress {
    boost::asio::ip::tcp::endpoint endpoint;
    std::string fault;  // in words; empty when there is none
};

HttpAddress parse_http_address(std::string_view uri);

}  // namespace trestle
