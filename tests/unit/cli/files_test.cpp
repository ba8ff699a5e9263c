#include "cli/files.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <new>

#include "base/text.hpp"

namespace fota::cli {
namespace {

struct FilesTest : testing::Test {
    std::filesystem::path directory = [] {
        auto name = (std::filesystem::temp_directory_path() / "fotactl-test-XXXXXX").string();
        return std::filesystem::path(::mkdtemp(name.data()));
    }();
    ~FilesTest() override { std::filesystem::remove_all(directory); }
};

TEST_F(FilesTest, AProducerThatThrowsLeavesTheOldFileAndNothingBesideIt) {
    const auto path = (directory / "out.hex").string();
    ASSERT_TRUE(write_product(path, as_bytes("the old file")));
    const auto produce = [](const Sink& sink) -> Result<> {
        TRY_VOID(sink(as_bytes("half of the new one")));
        throw std::bad_alloc();
    };
    EXPECT_THROW((void)write_product(path, produce), std::bad_alloc);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory), {}), 1);
    EXPECT_EQ(as_text(read_file(path, 100).value()), "the old file");
}

}  // namespace
}  // namespace fota::cli
