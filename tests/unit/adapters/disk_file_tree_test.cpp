// FileTree on a real directory: it never leaves the root and never waits.
#include "adapters/disk_file_tree.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace fota::adapters {
namespace {

class DiskTree : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "disk_tree_XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        base_ = name;
        std::filesystem::create_directories(base_ / "root/sub");
        std::ofstream(base_ / "root/sub/file") << "inside";
        std::ofstream(base_ / "secret") << "outside";
        std::filesystem::create_symlink("../secret", base_ / "root/up");
        std::filesystem::create_symlink(base_ / "secret", base_ / "root/absolute");
        std::filesystem::create_directory_symlink("..", base_ / "root/parent");
        std::filesystem::create_symlink("sub/file", base_ / "root/within");
        ASSERT_EQ(mkfifo((base_ / "root/pipe").c_str(), 0600), 0);
    }
    void TearDown() override { std::filesystem::remove_all(base_); }

    std::filesystem::path base_;
};

TEST_F(DiskTree, ReadsAndLists) {
    const auto tree = DiskFileTree::open((base_ / "root").string());
    ASSERT_TRUE(tree) << tree.error().text();
    EXPECT_TRUE(tree->is_file("sub/file"));
    EXPECT_TRUE(tree->is_directory("sub"));
    EXPECT_TRUE(tree->is_directory(""));
    EXPECT_FALSE(tree->is_file("sub"));
    EXPECT_EQ(as_text(*tree->read("sub/file", 100)), "inside");
    EXPECT_EQ(as_text(*tree->read("within", 100)), "inside");
    EXPECT_FALSE(tree->read("sub/file", 3));
    EXPECT_FALSE(tree->read("sub/none", 3));
    const auto entries = tree->list("");
    ASSERT_EQ(entries.size(), 6u);
    EXPECT_EQ(entries[4].name, "up");
    EXPECT_EQ(tree->display_name("a"), (base_ / "root/a").string());
}

TEST_F(DiskTree, NeverLeavesTheRoot) {
    const auto tree = DiskFileTree::open((base_ / "root").string());
    ASSERT_TRUE(tree);
    for (const char* path : {"up", "absolute", "parent/secret", "../secret", "sub/../../secret", "/etc/passwd"}) {
        EXPECT_FALSE(tree->is_file(path)) << path;
        EXPECT_FALSE(tree->read(path, 100)) << path;
    }
    EXPECT_TRUE(tree->list("parent").empty());
}

TEST_F(DiskTree, APipeIsRefusedAtOnce) {
    const auto tree = DiskFileTree::open((base_ / "root").string());
    ASSERT_TRUE(tree);
    EXPECT_FALSE(tree->is_file("pipe"));
    const auto read = tree->read("pipe", 100);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code(), Errc::file_unreadable);
}

TEST_F(DiskTree, AFileIsNoDirectory) {
    const auto tree = DiskFileTree::open((base_ / "secret").string());
    ASSERT_FALSE(tree);
    EXPECT_NE(tree.error().message().find("found a file"), std::string::npos);
}

}  // namespace
}  // namespace fota::adapters
