#include "play.h"

#include "must.h"

namespace trestle::fuzz {

using namespace mqtt;

void Play::run() {
    while (!input_.empty()) step();
    finish();
}

void Play::step() {
    const uint8_t what = input_.byte();
    const uint8_t how = input_.byte();
    // One in eight is changed on the way, one in eight comes in two pieces.
    const Manner manner{(how & 0x1C) == 0x1C, (how & 0xE0) == 0xE0};
    act(what, clients_[how % kClients], manner);
    world_.check_books();
    if ((what & 0x80) != 0) {
        world_.turn();
        read_all();
    } else {
        world_.settle();
        check_at_rest();
    }
    world_.check_books();
}

void Play::act(uint8_t what, Client& client, Manner manner) {
    switch (what & 0x1F) {
        case 0:
        case 1:
            open(client);
            return connect(client, manner);
        case 2:
            return connect(client, manner);  // on whatever connection there is
        case 3:
        case 4:
        case 5:
        case 6:
        case 7:
        case 8:
            return publish(client, manner);
        case 9:
            return publish_again(client, manner);
        case 10:
        case 11:
        case 12:
            return subscribe(client, manner);
        case 13:
            return unsubscribe(client, manner);
        case 14:
        case 15:
        case 16:
        case 17:
            return answer(client, manner);
        case 18:
            return acknowledge_anything(client, manner);
        case 19:
        case 20:
            return release(client, manner);
        case 21:
            return say_goodbye(client, manner);
        case 22:
            return send_odd_packet(client, manner);
        case 23:
            return close(client);
        case 24:
        case 25:
            return toggle_block(client);
        case 26:
        case 27:
            return pass_time();
        case 28:
            return world_.set_route_mode(static_cast<uint8_t>(input_.below(4)));
        case 29:
            return world_.settle_one_ack(input_);
        default: {
            constexpr std::string_view kTopics[] = {"a/b", "a", "longer/topic/of/all", "$own/x"};
            const std::string_view topic = input_.one_of(kTopics);
            const uint8_t flags = input_.byte();
            world_.publish(input_, topic, flags % 3, (flags & 8) != 0);
        }
    }
}

void Play::read_all() {
    for (auto& line : lines_) {
        std::string text = std::exchange(line->board.written, {});
        if (!line->closed) line->peer->received(text);
    }
}

void Play::check_at_rest() {
    read_all();
    for (auto& line : lines_) {
        if (!line->blocked) line->peer->check_at_rest(line->alive() && !line->closed);
    }
}

void Play::finish() {
    for (auto& line : lines_) {
        if (line->alive() && line->blocked) (*line->stream)->unblock_writes();
        line->blocked = false;
    }
    world_.settle();
    check_at_rest();
    for (auto& client : clients_) {
        if (input_.below(2) == 0) close(client);
    }
    world_.stop();
    for (auto& line : lines_) must(!line->alive(), "no stream is left behind");
}

void Play::open(Client& client) {
    if (lines_.size() >= kMostConnections) return;
    if (client.line != nullptr && input_.below(2) == 0) close(client);
    auto& line = *lines_.emplace_back(std::make_unique<Line>());
    auto& service = world_.endpoint(input_.below(World::kEndpoints));
    line.peer = std::make_unique<Peer>(world_, sessions_, service.options());
    auto stream = std::make_unique<test::FakeStream>(
        world_.shard(input_.below(world_.shard_count())), line.board);
    line.stream = stream->life();
    client.line = &line;
    service.serve(std::move(stream));
}

void Play::close(Client& client) {
    Line* line = std::exchange(client.line, nullptr);
    if (line == nullptr || !line->alive() || line->closed) return;
    read_all();
    line->closed = true;
    (*line->stream)->peer_closes();
}

void Play::toggle_block(Client& client) {
    Line* line = client.line;
    if (line == nullptr || !line->alive() || line->closed) return;
    line->blocked = !line->blocked;
    line->blocked ? (*line->stream)->block_writes() : (*line->stream)->unblock_writes();
}

void Play::pass_time() {
    constexpr uint64_t kJumps[] = {0, 1, 100, 1'000, 5'000, 30'001, 700'000'000};
    world_.advance(input_.one_of(kJumps));
}

void Play::send(Client& client, const OutBuffer& packet, Manner manner) {
    Line* line = client.line;
    if (line == nullptr || !line->alive() || line->closed) return;
    std::string bytes(packet.view());
    if (manner.changed) change(bytes);
    const size_t cut = manner.in_pieces ? input_.below(bytes.size() + 1) : bytes.size();
    for (const std::string_view piece :
         {std::string_view(bytes).substr(0, cut), std::string_view(bytes).substr(cut)}) {
        if (piece.empty() || !line->alive()) continue;
        line->peer->sent(piece, manner.changed);
        (*line->stream)->feed(piece);
        if (manner.in_pieces) world_.turn();
    }
}

void Play::change(std::string& bytes) {
    if (bytes.empty()) return;
    const size_t place = input_.below(bytes.size());
    const uint8_t value = input_.byte();
    switch (input_.below(4)) {
        case 0:
            bytes[place] = static_cast<char>(bytes[place] ^ value);
            break;
        case 1:
            bytes.resize(place);
            break;
        case 2:
            bytes.insert(place, 1 + value % 5, static_cast<char>(value));
            break;
        default:
            bytes[0] = static_cast<char>(bytes[0] ^ value);
    }
}

}  // namespace trestle::fuzz
