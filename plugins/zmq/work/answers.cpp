#include "zmq/work/answers.h"

#include "core/properties.h"

namespace trestle::zmq {

namespace {

// What does not fit a property (it is far too long) is left out.
void put(ApplicationPropertiesWriter& writer, std::string_view name, std::string_view value) {
    static_cast<void>(writer.user_property(name, value));
}

void put_report(const JobReport& report, std::string& properties) {
    ApplicationPropertiesWriter writer(properties);
    put(writer, "trestle-status", report.status);
    if (!report.reason.empty()) put(writer, "trestle-reason", report.reason);
    put(writer, "trestle-attempts", std::to_string(report.attempts));
    put(writer, "trestle-topic", report.topic);
    if (!report.id.empty()) put(writer, "trestle-id", report.id);
}

}  // namespace

MessagePtr make_response(const MessageView& request, const JobReport& report,
                         std::string_view payload, EndpointId origin) {
    const ApplicationProperties asked(request.properties);
    const auto topic = asked.response_topic();
    if (!topic || topic->empty() || topic->front() == '$') return {};
    std::string properties;
    if (const auto data = asked.correlation_data()) {
        static_cast<void>(ApplicationPropertiesWriter(properties).correlation_data(*data));
    }
    put_report(report, properties);
    MessageView response;
    response.topic = *topic;
    response.payload = payload;
    response.properties = properties;
    response.origin = origin;
    response.hops = static_cast<uint8_t>(request.hops + 1);
    response.qos = request.qos;
    return Message::copy_of(response);
}

MessagePtr make_dead_letter(const MessageView& job, const JobReport& report,
                            std::string_view topic) {
    std::string properties(job.properties);
    put_report(report, properties);
    MessageView letter;
    letter.topic = topic;
    letter.payload = job.payload;
    letter.properties = properties;
    letter.hops = static_cast<uint8_t>(job.hops + 1);
    letter.qos = job.qos;
    return Message::copy_of(letter);
}

bool is_reason(std::string_view text) {
    std::string unused;
    return !text.empty() && ApplicationPropertiesWriter(unused).user_property("", text);
}

EndWords words_for(JobEnd end, bool is_served) {
    switch (end) {
        case JobEnd::replied:
            return {"200", ""};
        case JobEnd::timed_out:
            if (is_served) return {"408", "timed out"};
            return {"503", "no worker"};
        case JobEnd::used_up:
            return {"500", "attempts used up"};
        case JobEnd::refused:
            return {"422", "refused by a worker"};
        case JobEnd::dropped:
            break;
    }
    return {"503", "dropped"};
}

}  // namespace trestle::zmq
