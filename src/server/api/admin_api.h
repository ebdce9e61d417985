// The admin API, whole: every path below `/api/v1/`, and the dashboard at `/`. What it answers is
// described by openapi.json, which it serves, and which tests hold against it.
//
// Made and destroyed on the main thread, before the gateway goes.
#pragma once

#include "server/api/api_host.h"
#include "server/api/stats_api.h"
#include "server/api/tail.h"

namespace trestle {

class AdminApi {
 public:
    AdminApi(Router& router, ApiHost& host);

    /// Files of the dashboard: they hold no secrets, and ask for the token themselves.
    static std::vector<std::string> open_paths();

 private:
    StatsApi stats_;
    TailApi tails_;
};

}  // namespace trestle
