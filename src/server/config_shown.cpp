#include "server/config_shown.h"

#include <nlohmann/json.hpp>

#include "server/config_faults.h"
#include "server/config_secrets.h"

namespace trestle {

namespace {

using nlohmann::json;

void mask(json& value, const std::string& path, const ReplacedStrings& replaced) {
    if (value.is_object()) {
        for (auto& [key, child] : value.items()) {
            mask(child, join_path(path, key), replaced);
        }
    } else if (value.is_array()) {
        for (size_t i = 0; i < value.size(); ++i) {
            mask(value[i], join_path(path, i), replaced);
        }
    } else if (const auto from = replaced.find(path);
               from != replaced.end() && from->second.find("${file:") != std::string::npos &&
               (!is_secret(path) || names_a_file(from->second))) {
        value = from->second;
    } else if (is_secret(path) && !value.is_null() && !value.is_boolean()) {
        value = "********";
    }
}

}  // namespace

std::string config_shown(const json& root, const ReplacedStrings& replaced) {
    json shown = root;
    mask(shown, "", replaced);
    return shown.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace trestle
