// Packets out of frames (MQTT 5.0 chapter 3, 3.1.1 chapter 3): one function per packet type.
//
// Pure functions. The decoded structs view the frame's bytes. Nothing is allocated, but for PUBLISH
// and CONNECT in 5.0 whose application properties do not lie together: these are gathered in
// `scratch`, which then must live as long as the struct is used and may be used again for the next
// packet. Anything wrong is a Fault, never an exception; the out parameter is then unspecified. The
// caller has looked at frame.type(), and read_frame at the flags.
//
// What needs the session is not checked here: topic aliases above the maximum, packet identifiers
// in use, the syntax of topic filters (section 4.7), limits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mqtt/codec/frame.h"
#include "mqtt/codec/packet.h"

namespace trestle::mqtt {

/// `out.version` is right also after a fault, as far as the packet told it: the answer is encoded
/// for it. A level that is not known is Reason::unsupported_protocol_version [MQTT-3.1.2-2]; the
/// answer to levels above 5 is one of 5.0, unless the packet is laid out as in 3.1.1.
[[nodiscard]] Fault decode_connect(const Frame& frame, Connect& out, std::string& scratch);

/// A packet from a server may have subscription identifiers: they are put into `subscription_ids`
/// (which is cleared first), and out.subscription_ids views it. Without it the packet is a
/// client's.
[[nodiscard]] Fault decode_publish(Version version, const Frame& frame, Publish& out,
                                   std::string& scratch,
                                   std::vector<uint32_t>* subscription_ids = nullptr);

/// PUBACK, PUBREC, PUBREL and PUBCOMP, by the type of the frame.
[[nodiscard]] Fault decode_ack(Version version, const Frame& frame, Ack& out);

[[nodiscard]] Fault decode_subscribe(Version version, const Frame& frame, Subscribe& out);
[[nodiscard]] Fault decode_unsubscribe(Version version, const Frame& frame, Unsubscribe& out);

/// PINGREQ and PINGRESP: nothing may follow the fixed header.
[[nodiscard]] Fault decode_ping(const Frame& frame);

[[nodiscard]] Fault decode_disconnect(Version version, const Frame& frame, Disconnect& out,
                                      Sender sender = Sender::client);
[[nodiscard]] Fault decode_auth(const Frame& frame, Auth& out, Sender sender = Sender::client);

// What only a client receives.
[[nodiscard]] Fault decode_connack(Version version, const Frame& frame, Connack& out);
/// SUBACK and UNSUBACK, by the type of the frame.
[[nodiscard]] Fault decode_subscription_ack(Version version, const Frame& frame,
                                            SubscriptionAck& out);

}  // namespace trestle::mqtt
