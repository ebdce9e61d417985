// A `router` endpoint: work that is acknowledged. Messages of its routes become jobs for the
// service that the key names; workers and clients speak Majordomo 0.1 and 0.2 or Trestle's own
// protocol (plugins/zmq/PROTOCOL.md).
//
// Any shard offers jobs and may send, under the lock. The home shard alone reads: what peers say is
// taken under the lock, and what they have published through it (answers, dead letters) is
// published afterwards without it, as `errands`.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/hub.h"
#include "plugin_api/log.h"
#include "zmq/client_quota.h"
#include "zmq/hub_services.h"
#include "zmq/message_reader.h"
#include "zmq/queueing_endpoint.h"
#include "zmq/unsent_bytes.h"
#include "zmq/work/answers.h"
#include "zmq/work/job_board.h"
#include "zmq/work/mdp.h"
#include "zmq/work/native.h"

namespace trestle::zmq {

class RouterEndpoint final : public QueueingEndpoint, private JobBoard::Outside {
 public:
    RouterEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options);
    ~RouterEndpoint() override;

    bool offer(ShardIndex shard, const RoutePtr& route, std::string_view key,
               Delivery& delivery) override;
    void start() override;
    void stop(uint64_t deadline_ms, std::function<void()> done) override;
    void accept(ShardIndex shard, const RoutePtr& route, std::string_view key,
                Delivery& delivery) override;
    [[nodiscard]] std::vector<WorkerReport> workers(std::string_view after, size_t most) override;

 private:
    struct RouterLine final : Line {
        RouterLine(JobBoard& board, const RoutePtr& its_route, Gauge& without_worker)
            : Line(its_route),
              jobs(board, its_route, its_route->options(), its_route->ledger(), &without_worker) {}
        RouteAdmission& queue() override { return jobs; }
        void route_changed() override { jobs.set_route(route); }
        [[nodiscard]] bool is_idle() override { return jobs.is_idle(); }
        JobLine jobs;
    };

    // All of these under the lock, unless said otherwise.
    void take_job(ShardIndex shard, const RoutePtr& route, std::string_view key,
                  Delivery& delivery);
    std::unique_ptr<Line> make_line(const RoutePtr& route) override;
    void drop_line(Line& line, DropReason reason, uint64_t now_ms) override;
    void run_due(uint64_t now_ms) override;
    [[nodiscard]] uint64_t next_own_due_ms() const override;
    void say_goodbye() override;
    [[nodiscard]] bool has_takers() const override { return board_.workers() > 0; }
    [[nodiscard]] bool is_drained() const override {
        return requests_.is_idle() && QueueingEndpoint::is_drained();
    }
    [[nodiscard]] bool is_engaged() const override {
        return !errands_.empty() || services_.is_busy();
    }
    void break_off() override;  // without the lock
    bool see_to_socket(ShardIndex shard) override;
    void on_connection_closed(uint64_t connection) override;  // without the lock

    // What peers say: router_in.cpp.
    bool read();
    void take_message();
    void take_mdp(std::string_view peer, FrameView frames);
    void take_native(std::string_view peer, FrameView frames);
    void take_native_from(Worker& worker, const NativeMessage& message);
    void take_hello(std::string_view peer, const NativeMessage& message);
    void take_publish(std::string_view peer, const NativeMessage& message);
    void take_request(std::string_view peer, const PeerMessage& message);
    void answer_mmi(const ClientAddress& client, FrameView body);
    [[nodiscard]] bool is_known_service(std::string_view service) const;
    uint64_t make_way(std::string_view peer);
    bool take_newcomer(const JobBoard::Newcomer& newcomer);
    void take_from_worker(Worker& worker, const PeerMessage& message);
    void take_nonsense(std::string_view peer, const char* what);
    void take_too_large(std::string_view peer);
    void dismiss_worker(std::string_view peer);
    static constexpr uint64_t kUnnamedConnection = UINT64_MAX;
    void send_away(std::string_view peer, Dialect dialect);
    void complain(const char* what);
    bool is_too_large();
    /// Of the peer that speaks; 0: it has gone. libzmq does not name those of ZMTP 2.0 and before,
    /// which all have the same.
    [[nodiscard]] uint64_t its_connection() {
        const int descriptor = reader_.frame(1).source_descriptor();
        return descriptor < 0 ? kUnnamedConnection : connection_of(descriptor);
    }
    [[nodiscard]] At here() const { return {home_index(), context_.home().now_ms()}; }

    // What they are told: router_out.cpp. The board's wishes come on any shard.
    /// Everything leaves through this. The first frame is the routing id.
    Socket::Sent send_to_peer(std::span<const std::string_view> frames);
    void has_room_again(const std::string& peer);  // any thread, under any lock
    Handed hand_out(JobBoard::Leases leases) override;
    bool beat(const Worker& worker) override;
    void dismiss(const Worker& worker) override;
    void progress(const Job& job, JobBoard::Frames body) override;
    void ended(const Job& job, JobEnd end, JobBoard::Frames body) override;
    void turned_away(const MessageView& message) override { respond_unqueued(message); }
    Socket::Sent answer(const ClientAddress& client, bool is_final, JobBoard::Frames body);
    /// All of an answer; counted when it cannot be sent.
    void finish_answer(const ClientAddress& client, JobBoard::Frames body);
    /// From the services, without the lock.
    Socket::Sent answer_for_service(const ClientAddress& client, bool is_final,
                                    JobBoard::Frames body);
    Socket::Sent send_jobs(JobBoard::Leases leases);
    void add_body(const Job& job, std::string& meta);
    void begin_request(const Lease& lease, std::string& tag);
    bool send_head(std::string_view peer, std::string_view head);
    void answer_publish(std::string_view peer, uint64_t id, std::string_view status);
    void respond(const Job& job, const EndWords& words, std::string_view payload);
    /// To a request that got no place in its queue.
    void respond_unqueued(const MessageView& message);
    [[nodiscard]] std::string meta_of(const Job& job) const;
    [[nodiscard]] std::string id_of(const Job& job) const;
    [[nodiscard]] WorkerReport report_of(const Worker& worker) const;
    [[nodiscard]] ShardIndex cell() const { return Shard::current()->index(); }
    /// To be run on the home shard, without the lock; `bytes` is what it holds.
    void errand(std::function<void()> work, size_t bytes);
    void publish_later(MessagePtr message);
    void run_errands();       // without the lock
    bool run_some_errands();  // without the lock; true: there are more

    const std::string epoch_;
    const RouteLedger request_ledger_;
    JobBoard board_;
    JobLine requests_;
    HubServices services_;
    MessageReader reader_;
    FrameList frames_;
    NativeBundle bundle_;
    Publisher publisher_;
    RepeatLimit log_limit_;
    UnsentBytes unsent_;
    ClientQuota request_quota_;  // of requests that workers have or will get
    struct Errand {
        std::function<void()> work;
        size_t bytes;
    };
    std::deque<Errand> errands_;
    size_t errand_bytes_ = 0;
    size_t work_ = 0;  // done for the message at hand
    bool is_errand_due_ = false;
    bool is_paused_ = false;
};

}  // namespace trestle::zmq
