// What kubelet, Prometheus and `trestle health` ask for: /metrics, /healthz, /readyz.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace trestle {

class Metrics;
class Router;

/// Why the server does not live, or is not ready, one reason each; empty when all is well. Called
/// on the main thread at each request; must not block.
using ProbeReasons = std::function<std::vector<std::string>()>;

/// Adds GET /metrics, GET /healthz (200 "ok") and GET /readyz (200 "ready"); both probes answer 503
/// with a line for each reason. `metrics` must outlive the router.
void add_probes(Router& router, const Metrics& metrics, ProbeReasons not_alive,
                ProbeReasons not_ready);

}  // namespace trestle
