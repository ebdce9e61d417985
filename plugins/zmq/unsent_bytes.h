// How many bytes libzmq holds for each peer of a ROUTER, so that none holds more than its share.
//
// libzmq bounds what it holds in messages, whatever their size, and tells nobody how many it has.
// But it says when it has done with a message that is lent to it (zmq_msg_init_data(3)): sent to
// the kernel, or thrown away with its connection. So each message takes a place here, which goes to
// libzmq with it. That holds for every transport and for peers of every age, whose connections
// libzmq may not name; and a peer that reads slowly but steadily has room as fast as it reads.
//
// Taken under the lock of its owner; places end on any thread, and may outlive it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace trestle::zmq {

class UnsentBytes {
 public:
    /// Held while libzmq has the message.
    using Place = std::shared_ptr<const void>;
    /// Called on any thread, under any lock: a peer that was refused a place has at least half of
    /// its room again.
    using RoomAgain = std::function<void(const std::string& peer)>;

    UnsentBytes(size_t most_of_one, RoomAgain room_again)
        : most_(most_of_one), teller_(std::make_shared<Teller>(std::move(room_again))) {}
    ~UnsentBytes() { teller_->fall_silent(); }
    UnsentBytes(const UnsentBytes&) = delete;
    UnsentBytes& operator=(const UnsentBytes&) = delete;

    /// Null when there is no room. A message that is larger than all the room goes alone.
    Place take(std::string_view peer, size_t bytes) {
        const std::shared_ptr<Peer>& one = peer_named(std::string(peer));
        if (!one->has_room(bytes, most_)) {
            // What has come back since then was not told to anybody: look again.
            one->is_refused = true;
            if (!one->has_room(bytes, most_)) return nullptr;
        }
        one->bytes += bytes;
        return std::make_shared<const Share>(one, bytes);
    }
    /// That are remembered; not many more than those that libzmq holds something for.
    [[nodiscard]] size_t peers() const { return peers_.size(); }

 private:
    class Teller {
     public:
        explicit Teller(RoomAgain room_again) : room_again_(std::move(room_again)) {}
        void tell(const std::string& peer) {
            const std::lock_guard guard(mutex_);
            if (room_again_) room_again_(peer);
        }
        void fall_silent() {
            const std::lock_guard guard(mutex_);
            room_again_ = nullptr;
        }

     private:
        std::mutex mutex_;
        RoomAgain room_again_;
    };
    struct Peer {
        Peer(std::string its_name, size_t half, std::shared_ptr<Teller> its_teller)
            : name(std::move(its_name)), enough(half), teller(std::move(its_teller)) {}
        [[nodiscard]] bool has_room(size_t more, size_t most) const {
            const size_t held = bytes;
            return held == 0 || (held <= most && more <= most - held);
        }
        const std::string name;
        const size_t enough;  // with so much or less it is told that there is room again
        const std::shared_ptr<Teller> teller;
        std::atomic<size_t> bytes{0};
        std::atomic<bool> is_refused{false};
    };
    struct Share {
        Share(std::shared_ptr<Peer> its_peer, size_t its_bytes)
            : peer(std::move(its_peer)), bytes(its_bytes) {}
        ~Share() {
            const size_t left = peer->bytes -= bytes;
            if (left > peer->enough || !peer->is_refused) return;
            if (peer->is_refused.exchange(false)) peer->teller->tell(peer->name);
        }
        Share(const Share&) = delete;
        Share& operator=(const Share&) = delete;
        const std::shared_ptr<Peer> peer;
        const size_t bytes;
    };

    const std::shared_ptr<Peer>& peer_named(const std::string& name) {
        const auto known = peers_.find(name);
        if (known != peers_.end()) return known->second;
        // Nobody says when a peer has gone; those that hold nothing are forgotten now and then.
        if (peers_.size() >= sweep_at_) {
            std::erase_if(peers_, [](const auto& one) { return one.second->bytes == 0; });
            sweep_at_ = std::max(kFewPeers, 2 * peers_.size());
        }
        return peers_.emplace(name, std::make_shared<Peer>(name, most_ / 2, teller_)).first->second;
    }

    static constexpr size_t kFewPeers = 64;
    const size_t most_;
    const std::shared_ptr<Teller> teller_;
    std::unordered_map<std::string, std::shared_ptr<Peer>> peers_;
    size_t sweep_at_ = kFewPeers;
};

}  // namespace trestle::zmq
