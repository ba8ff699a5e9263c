// SMP on a serial line: which framing the other end has.
#include "adapters/smp_serial.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>

#include "smp/framing.hpp"
#include "smp/message.hpp"
#include "tests/support/fake_serial_line.hpp"

namespace fota::adapters {
namespace {

using test::FakeSerialLine;

struct SmpSerialTest : testing::Test {
    boost::asio::io_context io;
    test::VirtualClock clock{io};
    FakeSerialLine* line = nullptr;
    std::unique_ptr<SmpSerial> channel = open();

    std::unique_ptr<SmpSerial> open() {
        auto opened = SmpSerial::open(clock,
                                      [this]() -> Result<std::unique_ptr<ports::SerialLine>> {
                                          auto made = std::make_unique<FakeSerialLine>(clock);
                                          line = made.get();
                                          return made;
                                      },
                                      {});
        EXPECT_TRUE(opened);
        return std::move(*opened);
    }

    static Bytes message(smp::Op op) {
        smp::Message out;
        out.op = op;
        out.group = 0;
        out.body = {0xa0};
        return smp::encode(out).value();
    }
    static std::string console(BytesView bytes) { return std::string(as_text(smp::encode_console(bytes).value())); }

    /// One question; whether something came within a second.
    bool ask() {
        std::optional<Result<Bytes>> received;
        const auto work = [&]() -> boost::asio::awaitable<void> {
            auto sent = co_await channel->send(request);
            EXPECT_TRUE(sent);
            received = co_await channel->receive(clock.now() + std::chrono::seconds(1));
        };
        boost::asio::co_spawn(io, work(), [](std::exception_ptr failure) { EXPECT_FALSE(failure); });
        EXPECT_TRUE(clock.run_until([&] { return received.has_value(); }));
        return received && received->has_value() && **received == response;
    }

    const Bytes request = message(smp::Op::read);
    const Bytes response = message(smp::Op::read_response);
    const std::string raw_request{as_text(request)};
    const std::string raw_response{as_text(response)};
};

TEST_F(SmpSerialTest, ARawServerIsFoundAfterOneSilence) {
    line->expect(console(request)).expect(raw_request, raw_response).expect(raw_request, raw_response);
    EXPECT_FALSE(ask());
    EXPECT_TRUE(ask());
    EXPECT_TRUE(ask());
}

TEST_F(SmpSerialTest, ARawMessageWaitsUntilARawServerHasForgottenTheLineBefore) {
    // Seen on a Zephyr server: what follows within three seconds is taken for the rest of a message.
    line->expect(console(request)).expect(raw_request, raw_response).expect(raw_request, raw_response);
    const auto first = clock.now();
    EXPECT_FALSE(ask());
    EXPECT_TRUE(ask());
    EXPECT_GE(clock.now() - first, smp::raw_input_timeout);
    const auto learnt = clock.now();
    EXPECT_TRUE(ask());
    EXPECT_EQ(clock.now(), learnt) << "once is enough";
}

TEST_F(SmpSerialTest, ARawRequestThatMayHaveBeenCutIsForgottenBeforeTheNextOne) {
    line->expect(console(request))
        .expect(raw_request, raw_response)
        .expect(raw_request)
        .expect(raw_request, raw_response);
    EXPECT_FALSE(ask());
    EXPECT_TRUE(ask());
    const auto cut = clock.now();
    EXPECT_FALSE(ask());
    EXPECT_TRUE(ask());
    EXPECT_GE(clock.now() - cut, smp::raw_input_timeout);
}

TEST_F(SmpSerialTest, AConsoleThatWasStillStartingIsFoundAgain) {
    // The raw attempt left bytes at the begin of the console's line: a line of its own follows.
    line->expect(console(request)).expect(raw_request);
    line->expect("\n" + console(request), console(response)).expect(console(request), console(response));
    EXPECT_FALSE(ask());
    EXPECT_FALSE(ask());
    EXPECT_TRUE(ask());
    EXPECT_TRUE(ask());
}

TEST_F(SmpSerialTest, AServerTakesALineForAMessageAndForgetsItAfterThreeSeconds) {
    SmpSerial::Options options;
    options.framing = SmpFraming::raw;
    options.side = smp::RawReader::Side::server;
    FakeSerialLine* wire = nullptr;
    auto server = SmpSerial::open(
                      clock,
                      [&]() -> Result<std::unique_ptr<ports::SerialLine>> {
                          auto made = std::make_unique<FakeSerialLine>(clock);
                          wire = made.get();
                          return made;
                      },
                      options)
                      .value();
    const auto heard = [&](Milliseconds wait) {
        std::optional<Result<Bytes>> received;
        boost::asio::co_spawn(io, server->receive(clock.now() + wait),
                              [&](std::exception_ptr failure, Result<Bytes> end) {
                                  EXPECT_FALSE(failure);
                                  received = std::move(end);
                              });
        EXPECT_TRUE(clock.run_until([&] { return received.has_value(); }));
        return received->has_value();
    };
    wire->arrive(console(request));
    EXPECT_FALSE(heard(Milliseconds(2'000)));
    wire->arrive(raw_request);
    EXPECT_FALSE(heard(Milliseconds(100))) << "the rest of what the line began";
    EXPECT_FALSE(heard(Milliseconds(3'100)));
    wire->arrive(raw_request);
    EXPECT_TRUE(heard(Milliseconds(100)));
}

TEST_F(SmpSerialTest, WhatWasLearntStaysThroughSilences) {
    line->expect(console(request), console(response));
    EXPECT_TRUE(ask());
    line->expect(console(request)).expect(console(request)).expect(console(request), console(response));
    EXPECT_FALSE(ask());
    EXPECT_FALSE(ask());
    EXPECT_TRUE(ask());
}

}  // namespace
}  // namespace fota::adapters
