// Tells systemd how the server does (`Type=notify`): ready, reloading, stopping, alive.
//
// Owned by the server, main thread. Speaks systemd's protocol itself: one datagram of NAME=value
// lines to the unix socket that NOTIFY_SOCKET names. Without that variable, as in a container or a
// terminal, nothing is sent. Never blocks and never fails: a message that cannot be sent is lost,
// as it is with sd_notify.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace trestle {

class ServiceManager {
 public:
    /// Takes the socket and the watchdog's time from the environment.
    ServiceManager();
    ~ServiceManager();
    ServiceManager(const ServiceManager&) = delete;
    ServiceManager& operator=(const ServiceManager&) = delete;

    /// Starting or reloading is over; `status` is what `systemctl status` shows.
    void ready(std::string_view status) const;
    void reloading() const;
    /// `at_most` may be longer than the unit's TimeoutStopSec: it asks for that time.
    void stopping(std::chrono::milliseconds at_most) const;
    void alive() const;

    /// The service is killed when `alive` is not called for so long; nothing: no watchdog.
    [[nodiscard]] std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

 private:
    void send(const std::string& lines) const;

    int socket_ = -1;
    std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace trestle
