#include "server/api/api_host.h"

#include "server/gateway.h"
#include "server/http_answer.h"

namespace trestle {

HttpResponse json_response(const ordered_json& body, unsigned status) {
    HttpResponse response;
    response.status = status;
    response.content_type = "application/json";
    // Topics and client ids are UTF-8; whatever else is not is shown with replacement characters.
    response.body = body.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    response.body += '\n';
    return response;
}

std::vector<Shard*> all_shards(ApiHost& host) {
    std::vector<Shard*> shards;
    Gateway& gateway = *host.gateway();
    for (size_t i = 0; i < gateway.shard_count(); ++i) shards.push_back(&gateway.shard(i));
    return shards;
}

HttpLaterHandler when_running(ApiHost& host, HttpLaterHandler handler) {
    return [&host, handler = std::move(handler)](const HttpRequest& request,
                                                 const HttpReplyPtr& reply) {
        if (host.gateway() == nullptr) {
            return reply->send(http_problem(503, "The gateway is starting."));
        }
        handler(request, reply);
    };
}

HttpLaterHandler when_open(ApiHost& host, HttpLaterHandler handler) {
    return when_running(host, [&host, handler = std::move(handler)](const HttpRequest& request,
                                                                    const HttpReplyPtr& reply) {
        if (host.gateway()->is_stopping()) {
            return reply->send(http_problem(503, "The gateway is draining."));
        }
        handler(request, reply);
    });
}

}  // namespace trestle
