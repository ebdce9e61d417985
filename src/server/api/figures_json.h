// Figures as the API writes them; the same in `stats` and in the lists. Pure.
#pragma once

#include <nlohmann/json.hpp>

#include "server/api/figures.h"

namespace trestle {

/// Counters and gauges of one endpoint: every key of its schema `EndpointFigures`.
nlohmann::ordered_json endpoint_figures_json(const EndpointFigures& figures);
/// The same of one route: `RouteFigures`.
nlohmann::ordered_json route_figures_json(const RouteFigures& figures);

}  // namespace trestle
