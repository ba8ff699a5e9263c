#include "virtdev/package_receiver.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "unit/virtdev/test_image.hpp"
#include "virtdev/board.hpp"

namespace fota::virtdev {
namespace {

using test::make_image;

void send(PackageReceiver& receiver, BytesView package, std::size_t from, std::size_t to, std::size_t block = 512) {
    for (std::size_t at = from; at < to; at += block) {
        auto written = receiver.write(package.subspan(at, std::min(block, to - at)));
        ASSERT_TRUE(written) << written.error().text();
        ASSERT_TRUE(receiver.prepare());
    }
}

TEST(PackageReceiver, AnUpdateFromFirstBlockToProof) {
    Board board({}, hash_only());
    ASSERT_TRUE(board.flash_image(make_image(1, 50000)));
    ASSERT_TRUE(board.reboot()->booted);
    const Bytes package = make_image(2, 60000);
    ASSERT_TRUE(board.package().begin(0));
    send(board.package(), package, 0, package.size());
    auto image = board.package().finish();
    ASSERT_TRUE(image) << image.error().text();
    EXPECT_EQ(image->header.version.major, 2);
    EXPECT_EQ(board.package().stored(), package.size());
    EXPECT_EQ(board.package().digest(), sha256(package));
    ASSERT_TRUE(board.mark_pending(false));
    auto boot = board.reboot();
    ASSERT_TRUE(boot);
    EXPECT_EQ(boot->header.version.major, 2);
    EXPECT_EQ(board.running()->hash, Bytes(package.end() - 32, package.end()));
    ASSERT_TRUE(board.confirm());
    EXPECT_EQ(*board.package().restore(), 0u);  // what lies in the secondary slot now is the old image
    EXPECT_TRUE(board.internal().violations().empty());
    EXPECT_TRUE(board.external().violations().empty());
}

TEST(PackageReceiver, GoesOnAfterAReset) {
    Board board({}, hash_only());
    ASSERT_TRUE(board.flash_image(make_image(1, 50000)));
    ASSERT_TRUE(board.reboot());
    const Bytes package = make_image(2, 60000);
    ASSERT_TRUE(board.package().begin(0));
    send(board.package(), package, 0, 30000);
    ASSERT_TRUE(board.reboot()->booted);
    auto stored = board.package().restore();
    ASSERT_TRUE(stored);
    EXPECT_EQ(*stored, 28672u);  // seven sectors
    EXPECT_EQ(board.package().digest(), sha256(BytesView(package).first(28672)));
    EXPECT_FALSE(board.package().begin(30000)) << "only what is stored can be gone on with";
    ASSERT_TRUE(board.package().begin(28672));
    send(board.package(), package, 28672, package.size());
    ASSERT_TRUE(board.package().finish());
    EXPECT_EQ(board.package().digest(), sha256(package));
    EXPECT_TRUE(board.external().violations().empty());
}

TEST(PackageReceiver, GoesOnWithoutAReset) {
    Board board({}, hash_only());
    const Bytes package = make_image(2, 10000);
    ASSERT_TRUE(board.package().begin(0));
    send(board.package(), package, 0, 5001, 100);
    EXPECT_EQ(board.package().received(), 5001u);
    const auto stored = board.package().stored();
    EXPECT_EQ(stored, 5000u);
    ASSERT_TRUE(board.package().begin(stored));
    send(board.package(), package, stored, package.size());
    EXPECT_TRUE(board.package().finish());
}

TEST(PackageReceiver, PowerLossAtAnyOperationIsGoneOnWith) {
    const Bytes package = make_image(2, 20000);
    std::uint64_t operations = 0;
    for (std::uint64_t at = 0; at == 0 || at < operations; at++) {
        Board board({}, hash_only());
        ASSERT_TRUE(board.flash_image(make_image(1, 5000)));
        ASSERT_TRUE(board.reboot());
        const auto before = board.power().operations();
        const auto receive = [&](std::uint32_t from) -> Result<void> {
            TRY_VOID(board.package().begin(from));
            for (std::size_t pos = from; pos < package.size(); pos += 1024) {
                const auto size = std::min<std::size_t>(1024, package.size() - pos);
                TRY_VOID(board.package().write(BytesView(package).subspan(pos, size)));
            }
            TRY_VOID(board.package().finish());
            return {};
        };
        if (at == 0) {
            ASSERT_TRUE(receive(0));
            operations = board.power().operations() - before;
            ASSERT_GT(operations, 50u);
            continue;
        }
        board.power().fail_in(at);
        ASSERT_FALSE(receive(0)) << at;
        ASSERT_TRUE(board.reboot()->booted) << at;
        auto stored = board.package().restore();
        ASSERT_TRUE(stored) << at;
        ASSERT_EQ(board.package().digest(), sha256(BytesView(package).first(*stored))) << at;
        ASSERT_TRUE(receive(*stored)) << at;
        ASSERT_EQ(board.package().digest(), sha256(package));
        ASSERT_TRUE(board.external().violations().empty()) << board.external().violations()[0];
    }
}

TEST(PackageReceiver, RefusesWhatCannotRun) {
    Board board({}, hash_only());
    Bytes package = make_image(2, 10000);
    package[700] ^= 1;
    ASSERT_TRUE(board.package().begin(0));
    send(board.package(), package, 0, package.size());
    auto finished = board.package().finish();
    ASSERT_FALSE(finished);
    EXPECT_EQ(finished.error().code(), Errc::image_rejected);
    ASSERT_TRUE(board.package().begin(0));
    EXPECT_FALSE(board.package().write(Bytes(board.package().limit() + 1)));
    const Bytes garbage(3000, 0x42);
    send(board.package(), garbage, 0, garbage.size());
    finished = board.package().finish();
    ASSERT_FALSE(finished);
    EXPECT_EQ(finished.error().code(), Errc::image_malformed);
}

TEST(PackageReceiver, AFlashThatDoesNotStoreIsNoticed) {
    Board board({}, hash_only());
    const Bytes package = make_image(2, 10000);
    ASSERT_TRUE(board.package().begin(0));
    board.external().lose_writes(100);
    EXPECT_FALSE(board.package().write(BytesView(package).first(512)));
}

TEST(Board, FilesKeepTheDevice) {
    const auto directory = std::filesystem::temp_directory_path() / ("board_" + std::to_string(::getpid()));
    std::filesystem::create_directory(directory);
    const Bytes package = make_image(2, 20000);
    {
        auto board = Board::on_files(directory, {}, hash_only());
        ASSERT_TRUE(board) << board.error().text();
        EXPECT_TRUE((*board)->blank());
        ASSERT_TRUE((*board)->flash_image(make_image(1, 20000)));
        ASSERT_TRUE((*board)->reboot()->booted);
        ASSERT_TRUE((*board)->package().begin(0));
        send((*board)->package(), package, 0, 10000);
    }
    auto board = Board::on_files(directory, {}, hash_only());
    ASSERT_TRUE(board);
    EXPECT_FALSE((*board)->blank());
    EXPECT_EQ((*board)->reboot()->header.version.major, 1);
    EXPECT_EQ(*(*board)->package().restore(), 8192u);
    EXPECT_EQ(std::filesystem::file_size(directory / "internal.bin"), 1u << 20);
    EXPECT_EQ(std::filesystem::file_size(directory / "external.bin"), 8u << 20);
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace fota::virtdev
