// An abstract, bounded reader of files, so that pure modules can read a project or a build without opening anything.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fota {

/// Paths are relative to the tree's root, '/'-separated, without "." and ".." and without a leading '/'.
/// The root itself is "". Implementations never leave the root through links.
class FileTree {
  public:
    struct Entry {
        std::string name;  ///< last path component
        bool is_directory = false;
    };

    virtual ~FileTree() = default;
    virtual bool is_file(const std::string& path) const = 0;
    virtual bool is_directory(const std::string& path) const = 0;
    /// The whole file; file_unreadable when absent or longer than `limit` bytes.
    virtual Result<Bytes> read(const std::string& path, std::uint64_t limit) const = 0;
    /// Sorted by name; empty when the directory does not exist.
    virtual std::vector<Entry> list(const std::string& path) const = 0;
    /// How a person names the root ("./sensor-node"); joined with a path for messages.
    virtual std::string display_name(const std::string& path) const = 0;
};

/// A tree in memory: for tests, fuzzers, and archives that were unpacked into memory.
class MemoryFileTree final : public FileTree {
  public:
    MemoryFileTree() = default;
    explicit MemoryFileTree(std::map<std::string, std::string> files) : files_(std::move(files)) {}
    void put(std::string path, std::string content) { files_.insert_or_assign(std::move(path), std::move(content)); }
    void erase(const std::string& path) { files_.erase(path); }

    bool is_file(const std::string& path) const override;
    bool is_directory(const std::string& path) const override;
    Result<Bytes> read(const std::string& path, std::uint64_t limit) const override;
    std::vector<Entry> list(const std::string& path) const override;
    std::string display_name(const std::string& path) const override { return path; }

  private:
    std::map<std::string, std::string> files_;
};

}  // namespace fota
