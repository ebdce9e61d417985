// Clients of all versions on a real hub: the bytes choose what they do, one or two shards carry it
// out, and an attentive client at each connection checks what comes back (session/peer.h).
#include "session/play.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    trestle::fuzz::Input input(data, size);
    trestle::fuzz::Play(input).run();
    return 0;
}
