// FileTree on a real directory. It never leaves the root through links, and never blocks on a pipe or a device.
#pragma once

#include <memory>
#include <string>

#include "base/file_tree.hpp"

namespace fota::adapters {

class DiskFileTree final : public FileTree {
  public:
    /// file_unreadable when `path` is no directory that can be opened.
    static Result<DiskFileTree> open(const std::string& path);

    DiskFileTree(DiskFileTree&& other) noexcept;
    DiskFileTree& operator=(DiskFileTree&& other) noexcept;
    ~DiskFileTree() override;

    bool is_file(const std::string& path) const override;
    bool is_directory(const std::string& path) const override;
    Result<Bytes> read(const std::string& path, std::uint64_t limit) const override;
    /// At most 10,000 entries.
    std::vector<Entry> list(const std::string& path) const override;
    std::string display_name(const std::string& path) const override;

  private:
    DiskFileTree(std::string root, int descriptor) : root_(std::move(root)), descriptor_(descriptor) {}
    /// A descriptor inside the root, or -1 with errno.
    int open_inside(const std::string& path, int flags) const;

    std::string root_;
    int descriptor_ = -1;
};

}  // namespace fota::adapters
