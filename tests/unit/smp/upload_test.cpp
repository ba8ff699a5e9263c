// Go-back-N by hand: what is sent, what a reply changes, and when the server's word ends it.
#include "smp/upload.hpp"

#include <gtest/gtest.h>

#include "smp/message.hpp"

namespace fota::smp {
namespace {

Bytes image_of(std::size_t size) {
    Bytes out(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i * 13);
    return out;
}

const Bytes image = image_of(10'000);

Upload plan(UploadPlan options) {
    return Upload::plan(image, std::move(options)).value();
}

std::uint64_t offset_of(const Command& command) {
    return number(command.body, "off").value();
}
std::size_t size_of(const Command& command) {
    return bytes(command.body, "data").value().size();
}

/// Requests until the window is full; numbers count on from `sequence`.
std::vector<Command> send_all(Upload& upload, std::uint8_t& sequence) {
    std::vector<Command> out;
    while (auto command = upload.next(sequence)) {
        out.push_back(std::move(*command));
        ++sequence;
    }
    return out;
}

TEST(UploadPlan, EveryMessageFitsTheBufferAndFillsIt) {
    for (const std::size_t longest : {92u, 252u, 380u, 508u, 1'020u, 2'044u}) {
        auto upload = plan({.longest_message = longest, .window = 1, .alignment = 4, .sha = Bytes(32)});
        std::uint8_t sequence = 0;
        std::size_t widest = 0;
        while (!upload.done()) {
            const auto command = upload.next(sequence);
            ASSERT_TRUE(command);
            const auto message = encode(*command, sequence).value();
            EXPECT_LE(message.size(), longest);
            widest = std::max(widest, message.size());
            ASSERT_TRUE(upload.replied(sequence++, offset_of(*command) + size_of(*command)));
        }
        EXPECT_GT(widest + 16, longest) << longest;
    }
}

TEST(UploadPlan, TheFirstPieceHasThirtyTwoBytesAndLosesItsHashRatherThanThat) {
    std::uint8_t sequence = 0;
    auto roomy = plan({.longest_message = 380, .sha = Bytes(32)});
    EXPECT_TRUE(roomy.next(sequence)->body.contains("sha"));
    auto narrow = plan({.longest_message = 92, .sha = Bytes(32)});
    const auto first = narrow.next(sequence);
    EXPECT_FALSE(first->body.contains("sha"));
    EXPECT_GE(size_of(*first), 32u);
    EXPECT_EQ(first->body.at("len"), image.size());
    const auto none = Upload::plan(image, {.longest_message = 56, .sha = {}});
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code(), Errc::transfer_failed);
}

TEST(UploadWindow, NothingFollowsAFirstPieceBeforeItsAnswer) {
    auto upload = plan({.longest_message = 380, .window = 4, .sha = {}});
    std::uint8_t sequence = 0;
    EXPECT_EQ(send_all(upload, sequence).size(), 1u);
    EXPECT_TRUE(upload.erasing());
    ASSERT_TRUE(upload.replied(0, 2'000));  // a session that the server still has
    const auto more = send_all(upload, sequence);
    ASSERT_EQ(more.size(), 4u);
    EXPECT_EQ(offset_of(more[0]), 2'000u);
}

TEST(UploadWindow, AShortReplyDrainsTheRestAndGoesBackToIt) {
    auto upload = plan({.longest_message = 380, .window = 4, .sha = {}});
    std::uint8_t sequence = 0;
    const auto first = send_all(upload, sequence);
    const auto begin = size_of(first[0]);
    ASSERT_TRUE(upload.replied(0, begin));
    const auto sent = send_all(upload, sequence);
    ASSERT_EQ(sent.size(), 4u);
    // The second of four was lost: the third's and fourth's replies tell the offset after the first.
    const auto expected = offset_of(sent[1]);
    ASSERT_TRUE(upload.replied(1, expected));
    ASSERT_TRUE(upload.replied(3, expected));
    EXPECT_FALSE(upload.next(sequence)) << "a rewind waits for what is still in flight";
    ASSERT_TRUE(upload.replied(4, expected));
    const auto again = send_all(upload, sequence);
    ASSERT_FALSE(again.empty());
    EXPECT_EQ(offset_of(again[0]), expected);
    EXPECT_GT(upload.resent(), 0u);
}

TEST(UploadWindow, LateDuplicatesAreNobodys) {
    auto upload = plan({.longest_message = 380, .window = 2, .sha = {}});
    std::uint8_t sequence = 0;
    const auto first = send_all(upload, sequence);
    const auto begin = size_of(first[0]);
    ASSERT_TRUE(upload.replied(0, begin));
    ASSERT_TRUE(upload.replied(0, 0));
    ASSERT_TRUE(upload.replied(200, 5));
    EXPECT_EQ(upload.acknowledged(), begin);
    EXPECT_FALSE(upload.waits_for(0));
}

TEST(UploadResume, AProbeAsksWithAnOffsetWhereNobodyIs) {
    auto upload = plan({.longest_message = 1'020, .alignment = 16, .sha = {}});
    const auto probe = upload.probe();
    EXPECT_EQ(offset_of(probe), 1u);
    EXPECT_EQ(size_of(probe), 1u);
    upload.resume_at(1'200);
    std::uint8_t sequence = 0;
    EXPECT_EQ(offset_of(send_all(upload, sequence)[0]), 1'200u);
}

TEST(UploadResume, AServerThatForgotEverythingGetsTheFirstPieceWithAllItsFields) {
    auto upload = plan({.longest_message = 380, .window = 1, .sha = Bytes(32, 7)});
    std::uint8_t sequence = 0;
    const auto first = send_all(upload, sequence);
    ASSERT_TRUE(upload.replied(0, size_of(first[0])));
    ASSERT_EQ(send_all(upload, sequence).size(), 1u);
    ASSERT_TRUE(upload.replied(1, 0));
    const auto again = send_all(upload, sequence);
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(offset_of(again[0]), 0u);
    EXPECT_TRUE(again[0].body.contains("len"));
    EXPECT_TRUE(again[0].body.contains("sha"));
}

TEST(UploadResume, AServerThatForgetsAgainAndAgainIsGivenUp) {
    auto upload = plan({.longest_message = 380, .window = 1, .sha = {}});
    std::uint8_t sequence = 0;
    for (int i = 0; i < 100; ++i) {
        const auto first = send_all(upload, sequence);
        ASSERT_TRUE(upload.replied(static_cast<std::uint8_t>(sequence - 1), size_of(first[0])));
        (void)send_all(upload, sequence);
        const auto back = upload.replied(static_cast<std::uint8_t>(sequence - 1), 0);
        if (back) continue;
        EXPECT_EQ(back.error().code(), Errc::transfer_failed);
        EXPECT_LT(i, 20);
        return;
    }
    FAIL() << "a hundred restarts were taken";
}

TEST(UploadResume, AnOffsetBehindTheEndIsAnotherUploads) {
    auto upload = plan({.longest_message = 380, .sha = {}});
    std::uint8_t sequence = 0;
    (void)send_all(upload, sequence);
    const auto bad = upload.replied(0, image.size() + 1);
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().code(), Errc::transfer_failed);
}

TEST(UploadAlignment, PiecesAreWholeWriteBlocksAndAShortReplyMakesThemLarger) {
    // A limit that leaves room for a piece that is no multiple of four.
    for (std::size_t longest = 1'000; longest < 1'020; ++longest) {
        auto upload = plan({.longest_message = longest, .window = 1, .alignment = 4, .sha = {}});
        EXPECT_EQ(upload.chunk() % 4, 0u) << longest;
    }
    auto upload = plan({.longest_message = 1'020, .window = 1, .alignment = 4, .sha = {}});
    std::uint8_t sequence = 0;
    const auto first = send_all(upload, sequence);
    const auto end = size_of(first[0]);
    ASSERT_TRUE(upload.replied(0, end - end % 32)) << "a server that writes blocks of 32";
    (void)send_all(upload, sequence);
    EXPECT_EQ(upload.chunk() % 32, 0u);
}

}  // namespace
}  // namespace fota::smp
