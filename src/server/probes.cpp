#include "server/probes.h"

#include <utility>

#include "plugin_api/metrics.h"
#include "server/exporter.h"
#include "server/router.h"

namespace trestle {

namespace {

void add_probe(Router& router, const char* path, const char* good, ProbeReasons reasons_of) {
    router.exact("GET", path, [good, reasons_of = std::move(reasons_of)](const HttpRequest&) {
        const auto reasons = reasons_of();
        if (reasons.empty()) return HttpResponse::text(200, good);
        HttpResponse response;
        response.status = 503;
        for (const auto& reason : reasons) response.body += reason + "\n";
        return response;
    });
}

}  // namespace

void add_probes(Router& router, const Metrics& metrics, ProbeReasons not_alive,
                ProbeReasons not_ready) {
    router.exact("GET", "/metrics", [&metrics](const HttpRequest&) {
        HttpResponse response;
        response.content_type = kPrometheusContentType;
        response.body = prometheus_text(metrics);
        return response;
    });
    add_probe(router, "/healthz", "ok", std::move(not_alive));
    add_probe(router, "/readyz", "ready", std::move(not_ready));
}

}  // namespace trestle
