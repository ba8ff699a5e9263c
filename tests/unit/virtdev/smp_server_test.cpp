// What the fake SMP servers do is what Zephyr's and MCUboot's were measured or read to do: buffers, uploads, errors in
// both dialects, resumption. The update engine's tests lean on these.
#include "virtdev/smp_server.hpp"

#include <gtest/gtest.h>

#include <array>

#include "smp/commands.hpp"
#include "smp/refusal.hpp"
#include "tests/unit/virtdev/small_image.hpp"

namespace fota::virtdev {
namespace {

using fota::test::small_image;
using smp::binary;
using smp::Json;
using smp::Op;

template <class Server>
class Asked {
  public:
    Asked(SmpQuirkSet quirks, SmpBuffers buffers) : server(board, quirks, buffers) {
        EXPECT_TRUE(board.flash_image(small_image(1)));
        EXPECT_TRUE(board.reboot());
    }

    SmpReaction react(Op op, std::uint16_t group, std::uint8_t command, const Json& body, std::uint8_t version = 1) {
        return server.handle(smp::encode({op, version, group, 7, command, smp::to_cbor(body)}).value());
    }
    /// The answer's map; null for silence.
    Json ask(Op op, std::uint16_t group, std::uint8_t command, const Json& body = Json::object(),
             std::uint8_t version = 1) {
        const auto reaction = react(op, group, command, body, version);
        if (!reaction.reply) return nullptr;
        const auto message = smp::decode(*reaction.reply).value();
        EXPECT_EQ(message.sequence, 7);
        EXPECT_EQ(message.version, version);
        return smp::from_cbor(message.body).value();
    }
    Json upload(const Json& body, std::uint8_t version = 1) {
        return ask(Op::write, smp::group::image, 1, body, version);
    }
    Json first(BytesView piece, std::size_t length, const Bytes& sha = {}) {
        Json body{{"off", 0}, {"len", length}, {"data", binary(piece)}};
        if (!sha.empty()) body["sha"] = binary(sha);
        return upload(body);
    }
    Json next(std::uint64_t offset, BytesView piece) { return upload({{"off", offset}, {"data", binary(piece)}}); }

    Board board{BootConfig{}, hash_only()};
    Server server;
};

struct Application : Asked<SmpApplication> {
    explicit Application(SmpQuirkSet quirks = {}, SmpBuffers buffers = {}) : Asked(quirks, buffers) {}
};
struct Recovery : Asked<SmpRecovery> {
    explicit Recovery(SmpQuirkSet quirks = {}, SmpBuffers buffers = {1024, 1}) : Asked(quirks, buffers) {}
};

constexpr std::array<std::uint8_t, 3> versions{0, 1, 2};

std::uint64_t code(const Json& answer) {
    const auto refusal = smp::refusal_of(answer);
    EXPECT_TRUE(refusal && refusal->group) << answer.dump();
    return refusal ? refusal->code : 0;
}

/// An echo whose whole message has this many bytes.
Json echo_of(std::size_t message) {
    for (std::size_t size = message > 16 ? message - 16 : 0;; ++size) {
        Json body{{"d", std::string(size, 'x')}};
        if (smp::header_bytes + smp::to_cbor(body).size() == message) return body;
        EXPECT_LT(size, message);
        if (size >= message) return body;
    }
}

const Bytes image = small_image(2, 5'000);
BytesView piece(std::size_t from, std::size_t size) {
    return BytesView(image).subspan(from, std::min(size, image.size() - from));
}
const Bytes image_sha = to_bytes(sha256(image));

// ---- buffers

TEST(SmpServerBuffers, AnApplicationDropsWithoutAWordWhatIsLongerThanItsBufferLessFour) {
    Application device;
    EXPECT_FALSE(device.ask(Op::write, 0, 0, echo_of(380)).is_null());
    EXPECT_TRUE(device.ask(Op::write, 0, 0, echo_of(381)).is_null());
    EXPECT_EQ(device.ask(Op::read, 0, 6), (Json{{"buf_size", 384}, {"buf_count", 4}}));
}

TEST(SmpServerBuffers, RecoveryTakesOneByteMoreAndCountsOneBuffer) {
    Recovery device;
    const auto echo = [&](std::size_t size) { return device.ask(Op::write, 0, 0, echo_of(size)); };
    EXPECT_FALSE(echo(1021).is_null());
    EXPECT_TRUE(echo(1022).is_null());
    EXPECT_EQ(device.ask(Op::read, 0, 6), (Json{{"buf_size", 1024}, {"buf_count", 1}}));
}

// ---- the application's upload

TEST(SmpApplicationUpload, TheFirstPieceHasAtLeastThirtyTwoBytesAMagicAndALength) {
    Application device;
    EXPECT_EQ(code(device.first(piece(0, 31), image.size())), 22u);
    EXPECT_EQ(code(device.upload({{"off", 0}, {"data", binary(piece(0, 64))}})), 21u);
    EXPECT_EQ(code(device.first(Bytes(64), image.size())), 23u);
    EXPECT_EQ(code(device.first(piece(0, 64), 1 << 24)), 30u);
    EXPECT_EQ(device.first(piece(0, 64), image.size())["off"], 64);
}

TEST(SmpApplicationUpload, AWrongOffsetIsASuccessThatTellsTheExpectedOne) {
    Application device;
    EXPECT_EQ(device.first(piece(0, 100), image.size())["off"], 100);
    EXPECT_EQ(device.next(300, piece(300, 100))["off"], 100);
    EXPECT_EQ(device.next(100, piece(100, 100))["off"], 200);
    EXPECT_EQ(device.next(100, piece(100, 100))["off"], 200) << "a duplicate does no harm";
}

TEST(SmpApplicationUpload, TheSameHashTakesASessionUpAnotherOrNoneStartsAnew) {
    Application device;
    (void)device.first(piece(0, 100), image.size(), image_sha);
    (void)device.next(100, piece(100, 300));
    EXPECT_EQ(device.first(piece(0, 100), image.size(), image_sha)["off"], 400);
    EXPECT_EQ(device.first(piece(0, 100), image.size(), Bytes(32, 1))["off"], 100);
    EXPECT_EQ(device.first(piece(0, 100), image.size())["off"], 100);
}

TEST(SmpApplicationUpload, ASessionIsInMemoryAlone) {
    Application device;
    (void)device.first(piece(0, 100), image.size(), image_sha);
    (void)device.next(100, piece(100, 300));
    device.server.after_reset();
    EXPECT_EQ(device.next(400, piece(400, 100))["off"], 0);
    EXPECT_EQ(device.first(piece(0, 100), image.size(), image_sha)["off"], 100);
}

TEST(SmpApplicationUpload, TheEndTellsWhetherTheHashMatchesAndTheSameAgainIsThereAtOnce) {
    for (const bool check : {true, false}) {
        Application device(check ? SmpQuirkSet{} : SmpQuirkSet{SmpQuirk::no_image_check});
        Json last = device.first(piece(0, 300), image.size(), image_sha);
        for (std::size_t at = 300; at < image.size(); at += 300) last = device.next(at, piece(at, 300));
        EXPECT_EQ(last["off"], image.size());
        EXPECT_EQ(last.contains("match"), check);
        const auto again = device.first(piece(0, 300), image.size(), image_sha);
        EXPECT_EQ(again["off"], check ? image.size() : 300u);
    }
}

TEST(SmpApplicationUpload, AWholeSlotErasedFirstTakesItsTime) {
    Application device({SmpQuirk::slow_erase});
    const auto reaction =
        device.react(Op::write, 1, 1, {{"off", 0}, {"len", image.size()}, {"data", binary(piece(0, 64))}});
    EXPECT_GE(reaction.busy, Milliseconds(10'000));
    EXPECT_EQ(device.react(Op::write, 1, 1, {{"off", 64}, {"data", binary(piece(64, 64))}}).busy, Milliseconds(0));
}

TEST(SmpApplicationUpload, WhatRunsCannotBeSetToTest) {
    Application device;
    const auto running = image_in(device.board.primary())->hash;
    const Json body{{"hash", binary(running)}, {"confirm", false}};
    EXPECT_EQ(code(device.ask(Op::write, 1, 0, body)), 33u);
    const auto v1 = device.ask(Op::write, 1, 0, body, 0);
    EXPECT_TRUE(v1.contains("rc"));
    EXPECT_FALSE(v1.contains("err"));
}

// ---- dialects

TEST(SmpDialects, AGroupsErrorIsPreciseInVersionTwoAndANumberInVersionOne) {
    Application device;
    EXPECT_EQ(device.first(Bytes(64), 100), (Json{{"err", {{"group", 1}, {"rc", 23}}}}));
    const Json body{{"off", 0}, {"len", 100}, {"data", binary(Bytes(64))}};
    EXPECT_EQ(device.upload(body, 0), (Json{{"rc", 1}}));
    Application old({SmpQuirk::version_1});
    EXPECT_EQ(old.upload(body, 1), (Json{{"rc", 1}, {"rsn", "magic mismatch"}}));
    EXPECT_EQ(old.ask(Op::write, 0, 0, {{"d", "x"}}), (Json{{"r", "x"}, {"rc", 0}}));
}

TEST(SmpDialects, AnUnknownGroupIsAPlainNumberInBothAndANewerVersionIsRefused) {
    Application device;
    for (const auto version : versions)
        if (version < 2) {
            EXPECT_EQ(device.ask(Op::read, 77, 0, Json::object(), version), (Json{{"rc", 8}}));
        }
    EXPECT_EQ(device.ask(Op::read, 0, 6, Json::object(), 2), (Json{{"rc", 13}}));
}

TEST(SmpDialects, MapsAreIndefiniteUnlessTheServerIsAnother) {
    for (const bool definite : {false, true}) {
        Application device(definite ? SmpQuirkSet{SmpQuirk::definite_maps} : SmpQuirkSet{});
        const auto reply = *device.react(Op::read, 0, 6, Json::object()).reply;
        EXPECT_EQ(reply[smp::header_bytes] == 0xbf, !definite);
        EXPECT_EQ(reply.back() == 0xff, !definite);
    }
}

// ---- recovery

TEST(SmpRecoveryCommands, ItKnowsFewAndAnswersInVersionOneWhateverItIsAskedIn) {
    Recovery device;
    for (const auto version : versions) {
        EXPECT_EQ(device.ask(Op::write, 0, 1, {{"echo", 0}}, version), (Json{{"rc", 0}})) << "console echo control";
        for (const auto& [group, command] : {std::pair{1, 5}, {10, 1}, {9, 0}, {0, 8}, {0, 7}, {0, 0}, {1, 6}}) {
            const auto answer = device.ask(Op::write, static_cast<std::uint16_t>(group),
                                           static_cast<std::uint8_t>(command), Json::object(), version);
            EXPECT_EQ(answer, (Json{{"rc", 8}})) << group << "/" << command;
        }
    }
}

TEST(SmpRecoveryCommands, TheListHasNoFlagsUnlessBuiltSoAndTheHashByDefault) {
    const auto row = [](SmpQuirkSet quirks) { return Recovery(quirks).ask(Op::read, 1, 0)["images"][0]; };
    EXPECT_TRUE(row({}).contains("hash"));
    for (const auto* flag : {"active", "confirmed", "pending", "bootable", "permanent"})
        EXPECT_FALSE(row({}).contains(flag)) << flag;
    EXPECT_TRUE(row({SmpQuirk::recovery_state}).contains("active"));
    EXPECT_FALSE(row({SmpQuirk::recovery_no_hash}).contains("hash"));
}

TEST(SmpRecoveryCommands, WhatHasNotTheShapeOfARequestIsNotAnswered) {
    Recovery device;
    EXPECT_FALSE(device.server.handle(as_bytes("hello")).reply);
    EXPECT_FALSE(device.server.handle(smp::encode({Op::read_response, 1, 0, 1, 6, Bytes{0xa0}}).value()).reply);
    EXPECT_FALSE(device.server.handle(smp::encode({Op::read, 1, 0, 1, 6, Bytes{0xff}}).value()).reply);
}

TEST(SmpRecoveryCommands, AResetIsAnsweredFirst) {
    Recovery device;
    const auto reaction = device.react(Op::write, 0, 5, Json::object());
    EXPECT_TRUE(reaction.reply);
    EXPECT_TRUE(reaction.reset);
}

TEST(SmpRecoveryUpload, OverwritesWhatRunsAndChecksNothing) {
    Recovery device;
    const auto before = device.board.primary().read(0, 64).value();
    EXPECT_EQ(device.first(Bytes(64), 1'000, Bytes(32, 9))["off"], 64) << "neither magic nor hash is looked at";
    EXPECT_NE(device.board.primary().read(0, 64).value(), before);
    EXPECT_EQ(device.ask(Op::read, 1, 0)["images"], Json::array()) << "the old application is gone";
}

TEST(SmpRecoveryUpload, ZeroAlwaysRestartsAndAnyOtherWrongOffsetTellsTheOneItIsAt) {
    Recovery device;
    (void)device.first(piece(0, 400), image.size());
    (void)device.next(400, piece(400, 800));
    EXPECT_EQ(device.next(1, piece(0, 1))["off"], 1'200);
    EXPECT_EQ(device.next(1'200, piece(1'200, 400))["off"], 1'600);
    EXPECT_EQ(device.first(piece(0, 400), image.size(), image_sha)["off"], 400);
}

TEST(SmpRecoveryUpload, WhatItIsAtIsInMemoryAlone) {
    Recovery device;
    (void)device.first(piece(0, 400), image.size());
    device.server.after_reset();
    EXPECT_EQ(device.next(1, piece(0, 1))["off"], 0);
}

TEST(SmpRecoveryUpload, NeedsALengthThatFitsTheSlot) {
    Recovery device;
    EXPECT_EQ(device.upload({{"off", 0}, {"data", binary(piece(0, 64))}}), (Json{{"rc", 3}}));
    EXPECT_EQ(device.first(piece(0, 64), 1 << 24), (Json{{"rc", 3}}));
}

TEST(SmpRecoveryUpload, BytesBeyondAWriteBlockAreNotConsumed) {
    Recovery device;
    EXPECT_EQ(device.first(piece(0, 970), image.size())["off"], 968);
    EXPECT_EQ(device.next(968, piece(968, 32))["off"], 1'000);
}

TEST(SmpRecoveryUpload, ImageNumbersAreSlotsOnlyWhereBuiltSo) {
    for (const bool direct : {false, true}) {
        Recovery device(direct ? SmpQuirkSet{SmpQuirk::direct_upload} : SmpQuirkSet{});
        Json body{{"off", 0}, {"len", image.size()}, {"data", binary(piece(0, 64))}, {"image", 2}};
        const auto answer = device.upload(body);
        EXPECT_EQ(answer.contains("off"), direct) << answer.dump();
        if (direct) {
            EXPECT_EQ(device.board.secondary().read(0, 64).value(), to_bytes(piece(0, 64)));
        }
    }
}

TEST(SmpRecoveryUpload, ADecryptionAfterTheLastPieceDelaysTheNextAnswer) {
    Recovery device({SmpQuirk::recovery_decrypts});
    (void)device.first(piece(0, 400), image.size());
    for (std::size_t at = 400; at < image.size(); at += 400) (void)device.next(at, piece(at, 400));
    EXPECT_GE(device.react(Op::read, 1, 0, Json::object()).busy, Milliseconds(5'000));
    EXPECT_EQ(device.react(Op::read, 1, 0, Json::object()).busy, Milliseconds(0));
}

}  // namespace
}  // namespace fota::virtdev
