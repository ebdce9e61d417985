// The PROXY protocol, versions 1 and 2: what a load balancer puts in front of a connection's first
// byte to tell who is behind it.
//
// Pure function over borrowed bytes; asked again with more bytes it starts over. Never throws but
// std::bad_alloc.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace trestle::mqtt {

struct ProxyHeader {
    enum class Status { need_more, ready, fault };
    Status status = Status::need_more;
    size_t size = 0;      ///< bytes that the header takes
    std::string address;  ///< "192.0.2.1:4711"; empty: the proxy speaks for itself
    bool loopback = false;
};

[[nodiscard]] ProxyHeader read_proxy_header(std::string_view bytes);

}  // namespace trestle::mqtt
