// The scenarios of mqttload, one function each.
#pragma once

#include "client.h"

// Each runs one scenario and prints one RESULT line; returns the exit status.
int run_flow(Args&);   // throughput, or latency when --rate is given
int run_conns(Args&);  // many idle connections
int run_subs(Args&);   // many subscriptions
int run_taken(Args&);  // messages that nobody wants

Loop::Target target_from(Args&);

// Connects and waits; dies with a message when the broker does not answer.
void wait_connected(Loop&, const std::vector<std::unique_ptr<Client>>&, uint64_t timeout_ms);
