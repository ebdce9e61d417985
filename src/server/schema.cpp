#include "server/schema.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "server/config.h"
#include "server/config_options.h"

namespace trestle {

namespace {

using nlohmann::ordered_json;
using Type = Option::Type;

// "${SHARDS}" may stand for any value.
constexpr const char* kReplaced = "#/$defs/replaced";

ordered_json number(double value) {
    if (std::floor(value) == value && std::abs(value) < 9e15) return static_cast<int64_t>(value);
    return value;
}

ordered_json object_schema(const std::vector<Option>& options);

ordered_json plain_schema(const Option& option) {
    ordered_json schema;
    const bool low = std::isfinite(option.minimum), high = std::isfinite(option.maximum);
    switch (option.type) {
        case Type::boolean:
            schema["type"] = "boolean";
            break;
        case Type::integer:
        case Type::number:
            schema["type"] = option.type == Type::integer ? "integer" : "number";
            if (low) schema["minimum"] = number(option.minimum);
            if (high) schema["maximum"] = number(option.maximum);
            break;
        case Type::string:
            schema["type"] = "string";
            if (!option.choices.empty()) schema["enum"] = option.choices;
            if (option.must_have_text) schema["minLength"] = 1;
            break;
        case Type::string_list: {
            ordered_json items{{"type", "string"}};
            if (!option.choices.empty()) {
                items = {{"anyOf", {{{"enum", option.choices}}, {{"$ref", kReplaced}}}}};
            }
            schema["type"] = "array";
            schema["items"] = std::move(items);
            if (low && option.minimum > 0) schema["minItems"] = number(option.minimum);
            if (high) schema["maxItems"] = number(option.maximum);
            break;
        }
        case Type::object:
            return object_schema(option.fields);
    }
    return schema;
}

ordered_json option_schema(const Option& option) {
    ordered_json schema = plain_schema(option);
    const bool is_scalar =
        option.type == Type::boolean || option.type == Type::integer || option.type == Type::number;
    if (is_scalar || (option.type == Type::string && !option.choices.empty())) {
        schema = {{"anyOf", ordered_json::array({schema, {{"$ref", kReplaced}}})}};
    }
    ordered_json described{{"description", option.help}};
    described.update(schema);
    std::visit(
        [&](const auto& value) {
            if constexpr (!std::is_same_v<std::decay_t<decltype(value)>, std::monostate>) {
                described["default"] = value;
            }
        },
        option.value);
    if (!option.example.empty()) {
        ordered_json example = option.example;
        if (option.type == Type::string_list) example = ordered_json::array({option.example});
        described["examples"] = ordered_json::array({std::move(example)});
    }
    return described;
}

ordered_json object_schema(const std::vector<Option>& options) {
    ordered_json properties = ordered_json::object();
    ordered_json required = ordered_json::array();
    for (const Option& option : options) {
        properties[option.name] = option_schema(option);
        if (option.is_required) required.push_back(option.name);
    }
    ordered_json schema{
        {"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
    if (!required.empty()) schema["required"] = std::move(required);
    return schema;
}

// One branch per plugin: which keys an endpoint may have hangs on its `plugin`.
ordered_json endpoints_schema(PluginCatalog& plugins, ordered_json& definitions) {
    ordered_json names = ordered_json::array();
    ordered_json branches = ordered_json::array();
    for (const std::string& name : plugins.names()) {
        std::string problem;
        const PluginOptions* plugin = plugins.find(name, problem);
        if (plugin == nullptr) continue;
        names.push_back(name);
        const std::string definition = name + "_endpoint";
        auto options = endpoint_options({name}, plugin->options);
        definitions[definition] = object_schema(options);
        definitions[definition]["properties"]["plugin"] = {{"const", name}};
        branches.push_back({{"if", {{"properties", {{"plugin", {{"const", name}}}}}}},
                            {"then", {{"$ref", "#/$defs/" + definition}}}});
    }
    ordered_json endpoint{{"type", "object"},
                          {"required", ordered_json::array({"plugin"})},
                          {"properties", {{"plugin", {{"enum", std::move(names)}}}}}};
    if (!branches.empty()) endpoint["allOf"] = std::move(branches);
    return {{"description", kEndpointsHelp},
            {"type", "object"},
            {"propertyNames", {{"pattern", kNamePattern}, {"maxLength", kLongestName}}},
            {"additionalProperties", std::move(endpoint)}};
}

ordered_json routes_schema() {
    ordered_json route = object_schema(route_options());
    ordered_json& name = route["properties"]["name"];
    name["anyOf"] = {{{"pattern", kNamePattern}, {"maxLength", kLongestName}},
                     {{"$ref", kReplaced}}};
    route["anyOf"] = ordered_json::array({{{"required", ordered_json::array({"to"})}},
                                          {{"required", ordered_json::array({"from"})}}});
    return {{"description", kRoutesHelp}, {"type", "array"}, {"items", std::move(route)}};
}

}  // namespace

std::string config_schema(PluginCatalog& plugins) {
    ordered_json definitions;
    definitions["replaced"] = {{"description",
                                "A string with ${NAME}, ${NAME:-default} or "
                                "${file:/path} in it"},
                               {"type", "string"},
                               {"pattern", "\\$\\{[^}]*\\}"}};
    ordered_json schema = object_schema(top_options());
    schema["properties"]["endpoints"] = endpoints_schema(plugins, definitions);
    schema["properties"]["routes"] = routes_schema();
    schema["required"] = ordered_json::array({"endpoints"});
    ordered_json root{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                      {"title", "Trestle config"}};
    root.update(schema);
    root["$defs"] = std::move(definitions);
    return root.dump(2) + "\n";
}

}  // namespace trestle
