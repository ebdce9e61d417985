#include "server/config_shown.h"

#include <nlohmann/json.hpp>

#include "server/config_faults.h"
#include "server/config_secrets.h"

namespace trestle {

namespace {

using nlohmann::json;

void mask(json& value, const std::string& path, bool secret, const ReplacedStrings& replaced) {
    if (value.is_object()) {
        for (auto& [key, child] : value.items()) {
            mask(child, join_path(path, key), secret || is_secret(key), replaced);
        }
    } else if (value.is_array()) {
        for (size_t i = 0; i < value.size(); ++i) {
            mask(value[i], join_path(path, i), secret, replaced);
        }
    } else if (const auto from = replaced.find(path);
               from != replaced.end() && from->second.find("${file:") != std::string::npos &&
               (!secret || names_a_file(from->second))) {
        value = from->second;
    } else if (secret && !value.is_null() && !value.is_boolean()) {
        value = "********";
    }
}

}  // namespace

std::string config_shown(const json& root, const ReplacedStrings& replaced) {
    json shown = root;
    mask(shown, "", false, replaced);
    return shown.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace trestle
