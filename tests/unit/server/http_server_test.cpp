// What the server says: bytes in and bytes out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http_fixture.h"

namespace trestle {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST_F(HttpServerTest, AnswersGet) {
    start();
    const std::string answer = ask(get("/hello"));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\nDate: "));
    EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: 3\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: text/plain; charset=utf-8\r\n"));
    EXPECT_THAT(answer, Not(HasSubstr("Connection:")));
    EXPECT_THAT(answer, EndsWith("\r\n\r\nhi\n"));
}

TEST_F(HttpServerTest, KeepsTheConnectionForMoreRequests) {
    start();
    Peer peer(port_);
    for (int i = 0; i < 3; ++i) {
        peer.send(get("/hello"));
        EXPECT_THAT(peer.answer(), EndsWith("hi\n"));
    }
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
    start();
    Peer peer(port_);
    std::string requests;
    for (int i = 0; i < 100; ++i) requests += get("/api/v1/" + std::to_string(i));
    peer.send(requests + "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    for (int i = 0; i < 100; ++i) {
        EXPECT_THAT(peer.answer(), EndsWith("/api/v1/" + std::to_string(i) + "||\n"));
    }
    const std::string last = peer.all();
    EXPECT_THAT(last, HasSubstr("\r\nConnection: close\r\n"));
    EXPECT_THAT(last, EndsWith("hi\n"));
}

TEST_F(HttpServerTest, ARequestMayArriveByteByByte) {
    start();
    Peer peer(port_);
    for (const char c : get("/hello")) peer.send({&c, 1});
    EXPECT_THAT(peer.answer(), EndsWith("hi\n"));
}

TEST_F(HttpServerTest, HeadHasTheHeadersOfGetAndNoBody) {
    start();
    Peer peer(port_);
    peer.send("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n" + get("/hello"));
    const std::string head = peer.answer(true);
    EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(head, HasSubstr("Content-Length: 3\r\n"));
    EXPECT_THAT(peer.answer(), AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), EndsWith("hi\n")));
}

TEST_F(HttpServerTest, Http10ClosesUnlessAskedToKeep) {
    start();
    Peer closing(port_);
    closing.send("GET /hello HTTP/1.0\r\n\r\n");
    EXPECT_THAT(closing.all(), AllOf(HasSubstr("Connection: close\r\n"), EndsWith("hi\n")));
    Peer keeping(port_);
    keeping.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_THAT(keeping.answer(), HasSubstr("Connection: keep-alive\r\n"));
    keeping.send("GET /hello HTTP/1.0\r\n\r\n");
    EXPECT_THAT(keeping.all(), EndsWith("hi\n"));
}

TEST_F(HttpServerTest, PathQueryHeadersAndBodyReachTheHandler) {
    start();
    EXPECT_THAT(ask("GET /api/v1/routes?a=1&b=2 HTTP/1.1\r\nHost: x\r\nX-THING: y\r\n\r\n"),
                EndsWith("\r\n\r\n/api/v1/routes|a=1&b=2|y\n"));
    EXPECT_THAT(ask("GET http://host:1/api/v1/x HTTP/1.1\r\nHost: host:1\r\n\r\n"),
                EndsWith("\r\n\r\n/api/v1/x||\n"));
    EXPECT_THAT(ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"),
                EndsWith("\r\n\r\nbody\n"));
    EXPECT_THAT(ask("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n"),
                EndsWith("\r\n\r\nbody\n"));
}

TEST_F(HttpServerTest, RefusesUnknownPathsAndMethodsAndGoesOn) {
    start();
    Peer peer(port_);
    peer.send(get("/nowhere") + get("/hello/") + "DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n" +
              "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n" + get("/broken") + get("/hello"));
    EXPECT_THAT(peer.answer(), StartsWith("HTTP/1.1 404 Not Found\r\n"));
    EXPECT_THAT(peer.answer(), StartsWith("HTTP/1.1 404 Not Found\r\n"));
    EXPECT_THAT(peer.answer(), AllOf(StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"),
                                     HasSubstr("\r\nAllow: GET, HEAD\r\n")));
    EXPECT_THAT(peer.answer(),
                AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("\r\nAllow: POST\r\n")));
    EXPECT_THAT(peer.answer(), AllOf(StartsWith("HTTP/1.1 500 "), EndsWith("out of luck\n")));
    EXPECT_THAT(peer.answer(), EndsWith("hi\n"));
}

TEST_F(HttpServerTest, MalformedRequestsGetASentenceAndAreClosed) {
    start();
    for (const std::string_view request :
         {"complete nonsense\r\n\r\n", "GET\r\n\r\n", "GET /hello\r\n\r\n",
          "\x16\x03\x01\x02\x00\x01", "GET /hello HTTP/1.1\r\nHost x\r\n\r\n",
          "GET /hello HTTP/1.1\r\n\r\n", "GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
          "GET hello HTTP/1.1\r\nHost: x\r\n\r\n",
          "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
          "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
          "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: "
          "chunked\r\n\r\na",
          "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
        Peer peer(port_);
        peer.send(request);
        EXPECT_THAT(peer.all(), AllOf(StartsWith("HTTP/1.1 400 Bad Request\r\n"), EndsWith(".\n")))
            << request;
    }
    Peer old(port_);
    old.send("GET /hello HTTP/3.0\r\nHost: x\r\n\r\n");
    EXPECT_THAT(old.all(), StartsWith("HTTP/1.1 505 "));
    EXPECT_THAT(ask(get("/hello")), EndsWith("hi\n"));
}

TEST_F(HttpServerTest, WhoAsksBeforeItsBodyIsToldToGoOn) {
    start();
    const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\n";
    Peer peer(port_);
    peer.send(head + "Content-Length: 4\r\n\r\n");
    EXPECT_EQ(peer.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
    peer.send("body");
    EXPECT_THAT(peer.answer(), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("body\n")));
    peer.send(head + "\r\n");
    EXPECT_THAT(peer.answer(), StartsWith("HTTP/1.1 200 ")) << "there is no body to wait for";
    peer.send(head + "Content-Length: 200000\r\n\r\n");
    EXPECT_THAT(peer.all(), StartsWith("HTTP/1.1 413 ")) << "nor one that would be taken";
}

TEST_F(HttpServerTest, TransferCodingsOtherThanChunkedAreRefusedAndWhatFollowsIsNoRequest) {
    start();
    for (const char* coding : {"gzip", "gzip, chunked", "chunked, gzip", "identity"}) {
        Peer peer(port_);
        peer.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + std::string(coding) +
                  "\r\n\r\n" + get("/hello"));
        const std::string answers = peer.all();
        EXPECT_THAT(answers,
                    testing::AnyOf(StartsWith("HTTP/1.1 501 "), StartsWith("HTTP/1.1 400 ")))
            << coding;
        EXPECT_EQ(answers.rfind("HTTP/1.1 "), 0u) << coding;
    }
    EXPECT_THAT(ask("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
                    "4\r\nbody\r\n0\r\n\r\n"),
                EndsWith("body\n"));
}

TEST_F(HttpServerTest, OversizedHeadersAndBodiesAreRefusedWithoutAReset) {
    start();
    Peer headers(port_);
    headers.send("GET /hello HTTP/1.1\r\nHost: x\r\nX-Long: " + std::string(200'000, 'x') +
                 "\r\n\r\n");
    EXPECT_THAT(headers.all(), AllOf(StartsWith("HTTP/1.1 431 "), EndsWith("too long.\n")));
    Peer line(port_);
    line.send("GET /" + std::string(200'000, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(line.all(), AllOf(StartsWith("HTTP/1.1 431 "), EndsWith("too long.\n")));
    Peer body(port_);
    body.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" +
              std::string(200'000, 'x'));
    EXPECT_THAT(body.all(), AllOf(StartsWith("HTTP/1.1 413 "), EndsWith("too long.\n")));
}

TEST_F(HttpServerTest, Probes) {
    start();
    EXPECT_THAT(ask(get("/healthz")), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\nok\n")));
    EXPECT_THAT(ask(get("/readyz")),
                AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\nready\n")));
    on_loop([this] { reasons_ = {"endpoint devices is not listening", "draining"}; });
    EXPECT_THAT(ask(get("/readyz")),
                AllOf(StartsWith("HTTP/1.1 503 "),
                      EndsWith("\r\n\r\nendpoint devices is not listening\ndraining\n")));
    EXPECT_THAT(ask(get("/healthz")), StartsWith("HTTP/1.1 200 "));
    on_loop([this] { hung_ = {"shard 0 has not run for 31 s"}; });
    EXPECT_THAT(ask(get("/healthz")), AllOf(StartsWith("HTTP/1.1 503 "),
                                            EndsWith("\r\n\r\nshard 0 has not run for 31 s\n")));
    metrics_.gauge("trestle_connections", "Open.", {{"endpoint", "e"}}).set(0, 4);
    EXPECT_THAT(ask(get("/metrics")),
                AllOf(HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
                      EndsWith("trestle_connections{endpoint=\"e\"} 4\n")));
}

TEST_F(HttpServerTest, SeveralAddressesAndIpv6) {
    start();
    const auto [fault, ports] = on_loop([this] {
        std::string what = server_->listen("http://[::1]:0");
        return std::pair(what, server_->ports());
    });
    if (fault.find("annot assign") != std::string::npos ||
        fault.find("not supported") != std::string::npos) {
        GTEST_SKIP() << "this machine has no IPv6: " << fault;
    }
    ASSERT_EQ(fault, "");
    ASSERT_EQ(ports.size(), 2u);
    Peer peer(ports[1], true);
    peer.send(get("/hello"));
    EXPECT_THAT(peer.answer(), EndsWith("hi\n"));
}

TEST_F(HttpServerTest, APortInUseIsAFaultInWords) {
    start();
    const std::string uri = "http://127.0.0.1:" + std::to_string(port_);
    const std::string fault = on_loop([&] { return server_->listen(uri); });
    EXPECT_THAT(fault, AllOf(StartsWith("cannot listen on " + uri), HasSubstr("in use")));
    EXPECT_THAT(ask(get("/hello")), EndsWith("hi\n"));
}

TEST(HttpServerUri, TellsWhatIsWrong) {
    for (const char* good : {"http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost:0",
                             "http://0.0.0.0:65535/", "http://[::]:1"}) {
        EXPECT_EQ(HttpServer::fault_of(good), "") << good;
    }
    for (const char* bad :
         {"", "http://", "127.0.0.1:8080", "https://127.0.0.1:1", "http://127.0.0.1",
          "http://[::1]", "http://127.0.0.1:", "http://127.0.0.1:65536", "http://127.0.0.1:-1",
          "http://127.0.0.1:80x", "http://::1:8080", "http://[127.0.0.1]:80",
          "http://example.org:80", "http://[]:80", "http://127.0.0.1:80/path", "http://:80"}) {
        EXPECT_THAT(HttpServer::fault_of(bad), AllOf(StartsWith("\"" + std::string(bad) + "\""),
                                                     HasSubstr("http://[::1]:8080")));
    }
}

}  // namespace
}  // namespace trestle
