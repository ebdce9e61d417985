// What `trestle top` shows, as lines of text: made from two answers of `/api/v1/stats`. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace trestle {

std::vector<std::string> top_screen(const nlohmann::json& before, const nlohmann::json& now);

}  // namespace trestle
