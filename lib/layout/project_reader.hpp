// Shared by the two readers of a tree; nothing else includes this.
#pragma once

#include <optional>
#include <string>

#include "layout/project.hpp"

namespace fota::layout {

/// Reads files into a project and turns what cannot be read into findings.
class ProjectReader {
  public:
    ProjectReader(const FileTree& files, Project& project) : files_(files), project_(project) {}

    const FileTree& files() const { return files_; }
    /// The text of a file; nullopt when it is absent, or unreadable (which becomes a finding).
    std::optional<std::string> text(const std::string& path);
    void unreadable(const std::string& path, const Error& error);

    /// Merges a Kconfig file into `into`; true when the file is there and was read.
    bool config(Kconfig& into, bool& readable, const std::string& path);
    bool image_config(Image& image, const std::string& path);
    bool image_overlay(Image& image, const std::string& path);
    void partitions(const std::string& path);
    void regions(const std::string& path);

  private:
    void add(Finding finding);

    const FileTree& files_;
    Project& project_;
};

bool is_build_tree(const FileTree& files);
bool is_source_tree(const FileTree& files);
Result<> read_build_tree(ProjectReader& reader, Project& project);
Result<> read_source_tree(ProjectReader& reader, Project& project, const std::string& board);

}  // namespace fota::layout
