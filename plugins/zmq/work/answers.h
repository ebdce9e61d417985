// The messages that the gateway itself makes of a job's end: the answer to a request (MQTT 5
// request/response), and the dead letter.
//
// Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/message.h"
#include "zmq/work/job_board.h"

namespace trestle::zmq {

/// What the user properties say.
struct JobReport {
    std::string_view status;  ///< trestle-status
    std::string_view reason;  ///< trestle-reason; empty: none
    uint32_t attempts = 0;    ///< trestle-attempts
    std::string_view topic;   ///< trestle-topic: where the job was published
    std::string_view id;      ///< trestle-id: the same in each attempt; empty: it is no job yet
};

/// To the Response Topic, with the Correlation Data; null when the request has no usable topic.
/// Topics that begin with $ are the server's own: nobody can have them answered to.
MessagePtr make_response(const MessageView& request, const JobReport& report,
                         std::string_view payload, EndpointId origin);
/// The job itself, under another topic.
MessagePtr make_dead_letter(const MessageView& job, const JobReport& report,
                            std::string_view topic);

/// Whether what a worker says can be told as a reason: text that a user property can hold.
bool is_reason(std::string_view text);

/// How an end is told: the status and the reason.
struct EndWords {
    std::string_view status;
    std::string_view reason;
};
EndWords words_for(JobEnd end, bool is_served);

}  // namespace trestle::zmq
