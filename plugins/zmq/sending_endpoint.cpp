#include "zmq/sending_endpoint.h"

#include <utility>

namespace trestle::zmq {

SendingEndpoint::SendingEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options)
    : ZmqEndpoint(context, zmq, std::move(options)) {
    Host& host = context.host();
    for (size_t i = 0; i < host.shard_count(); ++i) {
        turn_ends_.push_back(std::make_unique<TurnEnd>(*this, host.shard(i)));
    }
}

SendingEndpoint::~SendingEndpoint() = default;

void SendingEndpoint::schedule(TurnEnd& task) {
    task.is_due = true;
    task.shard.at_end_of_turn(task);
}

void SendingEndpoint::read_at_home() {
    if ((socket_.events() & ZMQ_POLLIN) == 0 || std::exchange(is_reading_due_, true)) return;
    post_home([this] {
        {
            const std::lock_guard guard(mutex_);
            is_reading_due_ = false;
        }
        on_ready();
    });
}

void SendingEndpoint::TurnEnd::end_of_turn() {
    is_due = false;
    bool has_more = false;
    {
        const std::lock_guard guard(endpoint.mutex_);
        has_more = endpoint.see_to_socket(shard.index());
    }
    if (has_more) schedule(*this);
}

void SendingEndpoint::on_ready() {
    const std::lock_guard guard(mutex_);
    if (see_to_socket(home_index())) used_by(home_index());
}

bool SendingEndpoint::send(std::string_view key, const MessageView& message,
                           std::string_view meta) {
    return socket_.send(make_frames(options_.frames, key, meta, message.payload));
}

}  // namespace trestle::zmq
