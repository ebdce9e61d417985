// What kubelet, Prometheus and `trestle health` ask for: /metrics, /healthz, /readyz.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace trestle {

class Metrics;
class Router;

/// Why the server is not ready, one reason each; empty when it is. Called on the main thread at
/// each request; must not block.
using NotReadyReasons = std::function<std::vector<std::string>()>;

/// Adds GET /metrics, GET /healthz (always 200 "ok": the loop that answers lives) and GET /readyz
/// (200 "ready", or 503 with a line for each reason). `metrics` must outlive the router.
void add_probes(Router& router, const Metrics& metrics, NotReadyReasons not_ready);

}  // namespace trestle
